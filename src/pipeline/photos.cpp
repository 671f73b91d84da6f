// photos.cpp: lists, folders and preprocessing, in the order of who wins.
#include "pipeline/photos.hpp"

#include <algorithm>
#include <utility>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "halfstep/recipes.hpp"
#include "io/json/preprocess_json.hpp"
#include "io/samples/photo_folder.hpp"
#include "pipeline/named_files.hpp"

namespace halfstep::pipeline {
namespace {

/// The first photo of a list, and where it stands.
struct FirstPhoto {
  std::string place;
  std::filesystem::path path;
};

std::optional<FirstPhoto> first_photo(const io::InputList& list) {
  for (const io::SampleLine& line : list.samples) {
    for (const io::SampleFile& file : line.files) {
      if (io::is_photo(file.path)) return FirstPhoto{list.is_folder ? list.path.string() : list.place(line), file.path};
    }
  }
  return std::nullopt;
}

std::string recorded_preprocess(const RawModel& model) {
  const auto at = std::ranges::find(model.graph.metadata, kPreprocessKey,
                                    [](const auto& entry) { return std::string_view(entry.first); });
  return at == model.graph.metadata.end() ? std::string() : at->second;
}

/// Every input takes photos as they are.
bool takes_pixels(const std::vector<io::InputSpec>& specs) {
  return std::ranges::all_of(specs, [](const io::InputSpec& spec) {
    return spec.dtype == DType::kUint8 && io::photo_input(spec, Preprocess{}).ok();
  });
}

Error nothing_says(const FirstPhoto& photo) {
  return usage(photo.place + ": " + quoted(photo.path.filename().string()) +
               " is a photo, and nothing says how it becomes an input: give --preprocess with " +
               names_of_files(preprocess_folder()) + ", or a FILE.json (docs/photos.md)");
}

bool changes_levels(const Preprocess& preprocess) {
  const Preprocess plain;
  return preprocess.mean != plain.mean || preprocess.std != plain.std || preprocess.scale.value_or(1.0F) != 1.0F;
}

}  // namespace

Result<void> check_samples(const SampleFiles& files) {
  const bool has_list = !files.input_list.empty();
  if (has_list && !files.input_images.empty()) {
    return usage("--input_list and --input_images both name samples: use one of them; lines of a list may be photos");
  }
  if (has_list || !files.input_images.empty()) return {};
  return usage("there are no samples: give --input_list FILE (docs/input-list.md), or --input_images DIR with photos");
}

std::filesystem::path preprocess_folder() { return recipe_folder() / "preprocess"; }

Result<ChosenPreprocess> find_preprocess(const std::string& name_or_file, const std::filesystem::path& folder) {
  const Result<std::filesystem::path> file = find_named_file("preprocessing", name_or_file, folder);
  if (!file.ok()) return file.error();
  const Result<std::string> text = read_text(*file);
  if (!text.ok()) return text.error();
  Result<Preprocess> read = io::read_preprocess(*text, file->string());
  if (!read.ok()) return read.error();
  return ChosenPreprocess{*std::move(read), name_or_file};
}

Result<io::InputList> list_samples(const SampleFiles& files, const Warn& warn) {
  if (files.input_images.empty()) return io::read_input_list(files.input_list);
  Result<io::PhotoFolder> photos = io::read_photo_folder(files.input_images);
  if (!photos.ok()) return photos.error();
  if (photos->num_others > 0 && warn) {
    warn(files.input_images.string() + ": " + std::to_string(photos->num_others) +
         (photos->num_others == 1 ? " file is" : " files are") + " neither .jpg, .jpeg nor .png and left out");
  }
  return std::move(photos->list);
}

Result<std::optional<ChosenPreprocess>> choose_preprocess(const SampleFiles& files, const io::InputList& list,
                                                          const std::vector<io::InputSpec>& specs,
                                                          const RawModel& recorder, const Warn& warn) {
  const std::optional<FirstPhoto> photo = first_photo(list);
  if (!photo && !files.preprocess.empty()) {
    return usage("--preprocess is about photos, and " + list.path.string() + " names none: leave it out");
  }
  if (!photo) return std::optional<ChosenPreprocess>();
  const std::string text = recorded_preprocess(recorder);
  const Result<Preprocess> recorded = io::read_preprocess(text, recorder.path + ": metadata " + kPreprocessKey);
  if (!files.preprocess.empty()) {
    Result<ChosenPreprocess> chosen = find_preprocess(files.preprocess);
    if (!chosen.ok()) return chosen.error();
    if (!text.empty() && warn && !(recorded.ok() && *recorded == chosen->value)) {
      warn(recorder.path + ": records other preprocessing than --preprocess " + files.preprocess +
           ", which wins: " + text);
    }
    return std::optional<ChosenPreprocess>(*std::move(chosen));
  }
  if (!text.empty()) {
    if (!recorded.ok()) return recorded.error();
    return std::optional<ChosenPreprocess>({*recorded, "recorded in " + recorder.path});
  }
  if (takes_pixels(specs)) return std::optional<ChosenPreprocess>({Preprocess{}, "none"});
  return nothing_says(*photo);
}

Result<OpenedSamples> open_listed(const SampleFiles& files, io::InputList list, std::vector<io::InputSpec> specs,
                                  const RawModel& recorder, const Warn& warn) {
  Result<std::optional<ChosenPreprocess>> chosen = choose_preprocess(files, list, specs, recorder, warn);
  if (!chosen.ok()) return chosen.error();
  const std::optional<Preprocess> preprocess = *chosen ? std::optional((*chosen)->value) : std::nullopt;
  Result<io::SampleReader> reader = io::SampleReader::make(std::move(list), std::move(specs), preprocess);
  if (!reader.ok()) return reader.error();
  OpenedSamples opened{*std::move(reader), *std::move(chosen)};
  const std::optional<io::PhotoInput> input = opened.reader.first_photo_input();
  if (input && input->type.dtype == DType::kUint8 && changes_levels(input->preprocess) && warn) {
    warn(recorder.path + ": takes uint8, so pixels are fed as they are: mean and scale of preprocessing " +
         opened.preprocess->name + " have no effect");
  }
  return opened;
}

Result<OpenedSamples> open_samples(const RawModel& model, const SampleFiles& files, const RawModel& recorder,
                                   const Warn& warn) {
  Result<io::InputList> list = list_samples(files, warn);
  if (!list.ok()) return list.error();
  if (Result<std::vector<std::string>> listed = listed_tensors(model, *list); !listed.ok()) return listed.error();
  return open_listed(files, *std::move(list), input_specs(model), recorder, warn);
}

Result<void> put_photos(const OpenedSamples& samples, bool wants_pictures, report::Report& report) {
  if (!samples.preprocess) return {};
  report.preprocess =
      report::PhotoPreprocess{samples.preprocess->name, io::write_preprocess(samples.preprocess->value)};
  const std::int64_t count = wants_pictures ? std::min(samples.reader.num_samples(), kMaxPictures) : 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const Result<std::optional<io::Image>> image = samples.reader.picture(i);
    if (!image.ok()) return image.error();
    if (!*image) continue;
    Result<std::string> png = io::encode_png(**image);
    if (!png.ok()) return png.error();
    report.pictures.push_back({.name = samples.reader.place(i),
                               .width = (*image)->width,
                               .height = (*image)->height,
                               .png = *std::move(png)});
  }
  return {};
}

}  // namespace halfstep::pipeline
