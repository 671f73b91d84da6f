// photo_folder.hpp: the photos of a folder as samples, its folders as classes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "halfstep/result.hpp"
#include "io/samples/input_list.hpp"

namespace halfstep::io {

/// In a folder of labelled photos: its folders in the order of the classes, one a line.
inline constexpr const char* kClassesFile = "classes.txt";

/// The photos of a folder.
struct PhotoFolder {
  InputList list;
  std::int64_t num_others = 0;  ///< Files that are no photos.
};

/// All files below `folder` that is_photo() is true of, sorted by the bytes of their names from there; names that begin
/// with a dot are left out, and links to folders are not followed.
/// Errors: kInvalidInput with the path: no folder, unreadable, without photos.
Result<PhotoFolder> read_photo_folder(const std::filesystem::path& folder);

/// What the folders right under a folder of photos say.
struct FolderLabels {
  std::vector<std::string> classes;      ///< Class c is called classes[c].
  std::vector<std::int64_t> classes_of;  ///< Of the samples, in their order.
  bool from_file = false;                ///< The order is that of kClassesFile.
};

/// The classes are the folders right under it, in the order that kClassesFile there names them, else sorted by the
/// bytes of their names.
/// Errors: kInvalidInput naming the photo that lies in no such folder; naming file and line of kClassesFile for a
/// class that stands there twice, and the folder that is missing from it.
/// Requires: photos.is_folder.
Result<FolderLabels> labels_from_folders(const InputList& photos);

}  // namespace halfstep::io
