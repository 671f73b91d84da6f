// photo_folder.cpp: walks the folder.
#include "io/samples/photo_folder.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/samples/image.hpp"
#include "io/samples/text_lines.hpp"

namespace halfstep::io {
namespace {

namespace fs = std::filesystem;

Error folder_error(const fs::path& path, const std::error_code& reason) {
  return invalid(path.string() + ": folder cannot be read (" + reason.message() + ")");
}

/// Without a slash at the end.
fs::path without_slash(const fs::path& folder) {
  return folder.has_filename() || folder == folder.root_path() ? folder : folder.parent_path();
}

/// Names of the photos below `folder`, sorted; counts what is none.
Result<std::vector<std::string>> photo_names(const fs::path& folder, std::int64_t& num_others) {
  std::vector<std::string> names;
  std::error_code failure;
  fs::recursive_directory_iterator at(folder, failure);
  while (!failure && at != fs::recursive_directory_iterator()) {
    const bool hidden = at->path().filename().string().starts_with('.');
    std::error_code unknown;
    const bool is_folder = at->is_directory(unknown);
    if (hidden) {
      at.disable_recursion_pending();
    } else if (!is_folder && is_photo(at->path())) {
      names.push_back(at->path().lexically_relative(folder).string());
    } else if (!is_folder && at->path().filename() != kClassesFile) {
      ++num_others;
    }
    at.increment(failure);
  }
  if (failure) return folder_error(folder, failure);
  std::ranges::sort(names);
  return names;
}

std::string class_of(const std::string& name) { return name.substr(0, std::min(name.find('/'), name.size())); }

/// The lines of kClassesFile.
Result<std::vector<std::string>> read_classes(const fs::path& path) {
  const Result<std::string> text = read_text(path);
  if (!text.ok()) return text.error();
  std::vector<std::string> classes;
  std::set<std::string> seen;
  for (const TextLine& line : lines_of(*text)) {
    const std::string name(line.text);
    if (!seen.insert(name).second) {
      return invalid(path.string() + ":" + std::to_string(line.number) + ": class " + halfstep::quoted(name) +
                     " stands there twice");
    }
    classes.push_back(name);
  }
  return classes;
}

}  // namespace

Result<PhotoFolder> read_photo_folder(const fs::path& folder) {
  std::error_code failure;
  if (!fs::is_directory(folder, failure)) {
    return invalid(folder.string() + (fs::exists(folder, failure)
                                          ? ": is no folder; --input_images takes one, --input_list a list of files"
                                          : ": no such folder"));
  }
  PhotoFolder photos;
  photos.list.path = without_slash(folder);
  photos.list.is_folder = true;
  const Result<std::vector<std::string>> names = photo_names(photos.list.path, photos.num_others);
  if (!names.ok()) return names.error();
  if (names->empty()) return invalid(folder.string() + ": holds no .jpg, .jpeg or .png files");
  for (const std::string& name : *names) {
    const int number = static_cast<int>(photos.list.samples.size()) + 1;
    photos.list.samples.push_back({number, {{"", photos.list.path / name}}});
    photos.list.text += name + "\n";
  }
  return photos;
}

Result<FolderLabels> labels_from_folders(const InputList& photos) {
  const fs::path& folder = photos.path;
  std::vector<std::string> names;  // Of the class of each sample.
  std::set<std::string> found;
  for (const SampleLine& sample : photos.samples) {
    const std::string name = sample.files.front().path.lexically_relative(folder).string();
    if (name.find('/') == std::string::npos) {
      return invalid((folder / name).string() + ": lies in no folder of a class; --labels_from_folders takes DIR/" +
                     "CLASS/PHOTO");
    }
    names.push_back(class_of(name));
    found.insert(names.back());
  }
  FolderLabels labels;
  std::error_code failure;
  labels.from_file = fs::exists(folder / kClassesFile, failure);
  if (labels.from_file) {
    Result<std::vector<std::string>> classes = read_classes(folder / kClassesFile);
    if (!classes.ok()) return classes.error();
    labels.classes = *std::move(classes);
  } else {
    labels.classes.assign(found.begin(), found.end());
  }
  std::map<std::string, std::int64_t> numbers;
  for (const std::string& name : labels.classes) numbers.emplace(name, static_cast<std::int64_t>(numbers.size()));
  for (const std::string& name : names) {
    const auto number = numbers.find(name);
    if (number == numbers.end()) {
      return invalid((folder / kClassesFile).string() + ": does not name folder " + halfstep::quoted(name) +
                     did_you_mean(name, labels.classes));
    }
    labels.classes_of.push_back(number->second);
  }
  return labels;
}

}  // namespace halfstep::io
