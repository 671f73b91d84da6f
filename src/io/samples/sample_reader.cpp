// sample_reader.cpp: from the files of a sample to tensors that fit the model.
#include "io/samples/sample_reader.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cctype>
#include <mutex>
#include <set>
#include <utility>

#include "core/errors.hpp"
#include "core/memory_budget.hpp"
#include "core/text.hpp"
#include "io/samples/npy.hpp"
#include "io/samples/text_lines.hpp"

namespace halfstep::io {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "raw files are little-endian and copied as they are");

// Errors in this file up to read_input() continue "file 'a.raw' ...".

// A .npy header is far smaller; what follows it is bounded like a tensor.
constexpr std::uint64_t kMaxNpyBytes = static_cast<std::uint64_t>(kMaxTensorBytes) + (std::uint64_t{1} << 20);

constexpr std::uint64_t kMaxPhotoBytes = std::uint64_t{1} << 30;

Error mismatch(std::string message) { return {ErrorCode::kInvalidInput, std::move(message)}; }

Error unreadable(const Error& error) { return mismatch("is not readable: " + error.message); }

bool is_npy(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".npy";
}

Result<Tensor> read_npy(const InputSpec& spec, const fs::path& path, std::uint64_t num_bytes) {
  if (num_bytes > kMaxNpyBytes) {
    return mismatch("has " + std::to_string(num_bytes) + " bytes, more than a tensor may");
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(num_bytes));
  if (auto read = read_file_into(path, bytes); !read.ok()) return unreadable(read.error());
  const Result<NpyHeader> header = parse_npy_header(bytes);
  if (!header.ok()) return header.error();
  if (auto fits = check_fits(spec, header->shape); !fits.ok()) return fits.error();
  return parse_npy(bytes, spec.dtype);
}

Result<Tensor> read_raw(const InputSpec& spec, const fs::path& path, std::uint64_t num_bytes) {
  Result<Shape> shape = shape_from_size(spec, num_bytes);
  if (!shape.ok()) return shape.error();
  if (auto checked = check_shape(*shape, spec.dtype); !checked.ok()) {
    return mismatch("has a wrong shape: " + checked.error().message);
  }
  Tensor tensor(TensorType{spec.dtype, *std::move(shape)});
  const std::span<std::byte> bytes(tensor.mutable_bytes(), static_cast<std::size_t>(num_bytes));
  if (auto read = read_file_into(path, bytes); !read.ok()) return unreadable(read.error());
  if (spec.dtype == DType::kBool) {
    const auto bad = std::ranges::find_if(bytes, [](std::byte b) { return b > std::byte{1}; });
    if (bad != bytes.end()) {
      return mismatch("has at byte " + std::to_string(bad - bytes.begin()) + " neither 0 nor 1, expected bool");
    }
  }
  return tensor;
}

// "'a', 'b'".
std::string names_of(const std::vector<InputSpec>& specs) {
  std::string text;
  for (const InputSpec& spec : specs) text += (text.empty() ? "" : ", ") + halfstep::quoted(spec.name);
  return text;
}

// The files of a line in the order of the specs.
Result<std::vector<fs::path>> match(const std::vector<SampleFile>& files, const std::vector<InputSpec>& specs) {
  std::vector<fs::path> paths(specs.size());
  if (files.front().input.empty()) {
    if (files.size() != specs.size()) {
      const std::string num_files = std::to_string(files.size()) + (files.size() == 1 ? " file" : " files");
      const std::string num_inputs = std::to_string(specs.size()) + (specs.size() == 1 ? " input" : " inputs");
      return mismatch("names " + num_files + ", the model has " + num_inputs + " (" + names_of(specs) + ")");
    }
    for (std::size_t i = 0; i < files.size(); ++i) paths[i] = files[i].path;
    return paths;
  }
  std::vector<std::string> names;
  for (const InputSpec& spec : specs) names.push_back(spec.name);
  for (const SampleFile& file : files) {
    const auto at = std::ranges::find(names, file.input);
    if (at == names.end()) {
      return mismatch("the model has no input " + halfstep::quoted(file.input) + did_you_mean(file.input, names));
    }
    fs::path& path = paths[static_cast<std::size_t>(at - names.begin())];
    if (!path.empty()) return mismatch("input " + halfstep::quoted(file.input) + " is given twice");
    path = file.path;
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (paths[i].empty()) return mismatch("input " + halfstep::quoted(specs[i].name) + " is missing");
  }
  return paths;
}

Error about_file(const InputSpec& spec, const fs::path& path, const Error& error) {
  return {error.code,
          "input " + halfstep::quoted(spec.name) + ": file " + halfstep::quoted(path.string()) + " " + error.message};
}

// What the size of a raw file alone can tell; other files say more when they are read.
Result<void> check_size(const InputSpec& spec, const fs::path& path) {
  const Result<std::uint64_t> num_bytes = regular_file_size(path);
  if (!num_bytes.ok()) return num_bytes.error().at("input " + halfstep::quoted(spec.name));
  if (is_npy(path) || is_photo(path)) return {};
  const Result<Shape> shape = shape_from_size(spec, *num_bytes);
  if (!shape.ok()) return about_file(spec, path, shape.error());
  return {};
}

}  // namespace

Result<Tensor> read_input(const InputSpec& spec, const fs::path& path) {
  const std::string place = "input " + halfstep::quoted(spec.name);
  const Result<std::uint64_t> num_bytes = regular_file_size(path);
  if (!num_bytes.ok()) return num_bytes.error().at(place);
  if (*num_bytes > static_cast<std::uint64_t>(memory_limit())) {
    return about_file(
        spec, path,
        unsupported("has " + bytes_text(static_cast<std::int64_t>(*num_bytes)) + ", the limit of memory is " +
                    bytes_text(memory_limit()) + "; give a larger --memory_limit"));
  }
  Result<Tensor> tensor = is_npy(path) ? read_npy(spec, path, *num_bytes) : read_raw(spec, path, *num_bytes);
  if (!tensor.ok()) return about_file(spec, path, tensor.error());
  return tensor;
}

/// Photos with an opacity, which is left out.
struct SampleReader::Notes {
  std::mutex mutex;
  std::set<std::int64_t> with_alpha;  ///< Samples.
};

SampleReader::SampleReader() : notes_(std::make_shared<Notes>()) {}

Result<SampleReader> SampleReader::make(InputList list, std::vector<InputSpec> specs,
                                        const std::optional<Preprocess>& preprocess) {
  SampleReader reader;
  reader.photos_.resize(specs.size());
  for (const SampleLine& line : list.samples) {
    const std::string place = list.is_folder ? list.path.string() : list.place(line);
    auto paths = match(line.files, specs);
    if (!paths.ok()) return paths.error().at(place);
    for (std::size_t i = 0; i < specs.size(); ++i) {
      const fs::path& path = (*paths)[i];
      if (auto fits = check_size(specs[i], path); !fits.ok()) return fits.error().at(place);
      if (!is_photo(path) || reader.photos_[i]) continue;
      assert(preprocess);
      Result<PhotoInput> input = photo_input(specs[i], *preprocess);
      if (!input.ok()) {
        const Error& error = input.error();
        return Error{error.code, "input " + halfstep::quoted(specs[i].name) + " " + error.message}.at(place);
      }
      reader.photos_[i] = *std::move(input);
    }
    reader.paths_.push_back(*std::move(paths));
  }
  reader.list_ = std::move(list);
  reader.specs_ = std::move(specs);
  return reader;
}

// The messages of a folder's photos name the file anyway.
std::string SampleReader::place_of_errors(std::int64_t sample) const {
  return list_.is_folder ? list_.path.string() : place(sample);
}

Result<Image> SampleReader::read_photo(std::int64_t sample, std::size_t input) const {
  const fs::path& path = paths_[static_cast<std::size_t>(sample)][input];
  const InputSpec& spec = specs_[input];
  const Result<std::uint64_t> num_bytes = regular_file_size(path);
  if (!num_bytes.ok()) return num_bytes.error().at("input " + halfstep::quoted(spec.name));
  if (*num_bytes > kMaxPhotoBytes) {
    return about_file(spec, path, mismatch("has " + std::to_string(*num_bytes) + " bytes, more than a photo may"));
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(*num_bytes));
  if (auto read = read_file_into(path, bytes); !read.ok()) return about_file(spec, path, unreadable(read.error()));
  Result<DecodedImage> decoded = decode_image(bytes);
  if (!decoded.ok()) return about_file(spec, path, decoded.error());
  if (decoded->dropped_alpha) {
    const std::lock_guard lock(notes_->mutex);
    notes_->with_alpha.insert(sample);
  }
  return fitted(std::move(decoded->image), *photos_[input]);
}

Result<std::vector<Tensor>> SampleReader::read(std::int64_t sample) const {
  std::vector<Tensor> tensors;
  const auto& paths = paths_[static_cast<std::size_t>(sample)];
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (is_photo(paths[i])) {
      const Result<Image> image = read_photo(sample, i);
      if (!image.ok()) return image.error().at(place_of_errors(sample));
      tensors.push_back(tensor_of(*image, *photos_[i]));
      continue;
    }
    Result<Tensor> tensor = read_input(specs_[i], paths[i]);
    if (!tensor.ok()) return tensor.error().at(place_of_errors(sample));
    tensors.push_back(*std::move(tensor));
  }
  return tensors;
}

Result<std::optional<Image>> SampleReader::picture(std::int64_t sample) const {
  const auto& paths = paths_[static_cast<std::size_t>(sample)];
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (!is_photo(paths[i])) continue;
    Result<Image> image = read_photo(sample, i);
    if (!image.ok()) return image.error().at(place_of_errors(sample));
    return std::optional<Image>(*std::move(image));
  }
  return std::optional<Image>();
}

std::optional<PhotoInput> SampleReader::first_photo_input() const {
  for (const std::optional<PhotoInput>& input : photos_) {
    if (input) return input;
  }
  return std::nullopt;
}

std::string SampleReader::warning() const {
  const std::lock_guard lock(notes_->mutex);
  const std::set<std::int64_t>& samples = notes_->with_alpha;
  if (samples.empty()) return "";
  const bool one = samples.size() == 1;
  return place(*samples.begin()) + ": " + (one ? "the photo has an alpha channel, which is" : "") +
         (one ? "" : "and " + std::to_string(samples.size() - 1) + " more: the photos have alpha channels, which are") +
         " left out";
}

}  // namespace halfstep::io
