// named_files.cpp: looks into the folder.
#include "pipeline/named_files.hpp"

#include <algorithm>
#include <system_error>
#include <vector>

#include "core/text.hpp"

namespace halfstep::pipeline {
namespace {

using std::filesystem::path;

bool is_file(const std::string& name) {
  std::error_code failure;
  const bool exists = std::filesystem::exists(name, failure) && !std::filesystem::is_directory(name, failure);
  return exists || name.find('/') != std::string::npos || name.ends_with(".json");
}

/// The names of the JSON files in a folder, sorted.
std::vector<std::string> names_in(const path& folder) {
  std::vector<std::string> names;
  std::error_code failure;
  for (std::filesystem::directory_iterator at(folder, failure), end; !failure && at != end; at.increment(failure)) {
    if (at->path().extension() == ".json") names.push_back(at->path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

Error no_such_name(std::string what, const std::string& name, const std::vector<std::string>& names,
                   const path& folder) {
  const std::string start = "there is no " + what + " " + quoted(name);
  if (names.empty()) return {ErrorCode::kUsage, start + ": " + folder.string() + " holds none"};
  const std::string hint = did_you_mean(name, names);
  what.front() = static_cast<char>(what.front() - 'a' + 'A');
  return {ErrorCode::kUsage, start + (hint.empty() ? "." : hint) + " " + what + "s: " + names_of_files(folder)};
}

}  // namespace

std::string names_of_files(const path& folder) {
  std::string list;
  for (const std::string& name : names_in(folder)) list += (list.empty() ? "" : ", ") + name;
  return list;
}

Result<path> find_named_file(const std::string& what, const std::string& name_or_file, const path& folder) {
  if (is_file(name_or_file)) return path(name_or_file);
  const std::vector<std::string> names = names_in(folder);
  if (std::ranges::find(names, name_or_file) == names.end()) return no_such_name(what, name_or_file, names, folder);
  return folder / (name_or_file + ".json");
}

}  // namespace halfstep::pipeline
