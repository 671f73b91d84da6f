// external_data.cpp: location checks and mapping of external tensor data.
#include "io/onnx/external_data.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "core/errors.hpp"
#include "core/text.hpp"

namespace halfstep::io {
namespace {

namespace fs = std::filesystem;

Result<std::int64_t> parse_count(const std::string& key, const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < 0) {
    return invalid("external data has " + key + " " + halfstep::quoted(text) + ", expected a count of bytes");
  }
  return value;
}

bool is_inside(const fs::path& file, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first == folder.end();
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> ExternalFolder::map(const std::string& location) {
  if (const auto known = files_.find(location); known != files_.end()) return known->second;
  const std::string what = "external data file " + halfstep::quoted(location);
  if (location.empty() || location.find('\0') != std::string::npos) return invalid(what + " is not a file name");
  const fs::path relative(location);
  if (relative.is_absolute()) return invalid(what + " is an absolute path, expected one inside the model's folder");
  if (std::ranges::find(relative, fs::path("..")) != relative.end()) {
    return invalid(what + " climbs out of the model's folder by '..'");
  }
  std::error_code failed;
  const fs::path folder = fs::canonical(folder_.empty() ? fs::path(".") : folder_, failed);
  if (failed) return invalid(what + ": the model's folder cannot be resolved: " + failed.message());
  const fs::path file = fs::canonical(folder / relative, failed);
  if (failed == std::errc::no_such_file_or_directory) return invalid(what + " is missing in the model's folder");
  if (failed) return invalid(what + " cannot be resolved: " + failed.message());
  if (!is_inside(file, folder)) return invalid(what + " is a link that leads out of the model's folder");
  auto mapped = MappedFile::open(file);
  if (!mapped.ok()) return mapped.error().at(what);
  files_.emplace(location, *mapped);
  return *mapped;
}

Result<RawBytes> ExternalFolder::load(const onnx::TensorProto& proto, std::int64_t needed_bytes) {
  std::string location;
  std::int64_t offset = 0;
  std::int64_t length = needed_bytes;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() != "offset" && entry.key() != "length") continue;
    const auto count = parse_count(entry.key(), entry.value());
    if (!count.ok()) return count.error();
    (entry.key() == "offset" ? offset : length) = *count;
  }
  auto file = map(location);
  if (!file.ok()) return file.error();
  if (length != needed_bytes) {
    return invalid("external data is " + std::to_string(length) + " bytes long, its shape needs " +
                   std::to_string(needed_bytes));
  }
  const std::span<const std::byte> bytes = (*file)->bytes();
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (offset > size || length > size - offset) {
    return invalid("external data file " + halfstep::quoted(location) + " has " + std::to_string(size) +
                   " bytes, expected " + std::to_string(length) + " at offset " + std::to_string(offset));
  }
  return RawBytes{bytes.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(length)), *file};
}

std::int64_t ExternalFolder::num_bytes() const {
  std::int64_t total = 0;
  for (const auto& [location, file] : files_) total += static_cast<std::int64_t>(file->bytes().size());
  return total;
}

}  // namespace halfstep::io
