// input_list.hpp: which files make up each sample, as --input_list says it.
//
//   #<layer>[ <layer>...]            optional, before the first sample
//   %<tensor>[ <tensor>...]          optional, before the first sample
//   <file>[ <file>...]               a sample: files in the order of the inputs
//   <name>:=<file>[ <name>:=<file>]  a sample: files by input name
//
// Names and files that hold blanks stand in double or single quotes. Blank
// lines, carriage returns, a byte order mark and a missing last line feed are
// tolerated.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// One file of a sample.
struct SampleFile {
  std::string input;           ///< Empty: given by position.
  std::filesystem::path path;  ///< Of an existing file.
};

/// One sample: all files by name, or all by position.
struct SampleLine {
  int number = 0;  ///< Line in the list, or place in the folder, from 1.
  std::vector<SampleFile> files;
};

struct InputList {
  std::filesystem::path path;               ///< Of the list or folder; for messages.
  std::string text;                         ///< Of the list; of a folder the names of its photos, one a line.
  bool is_folder = false;                   ///< Photos of a folder: one file a sample, by position.
  std::vector<std::string> output_layers;   ///< Of the '#' lines.
  std::vector<std::string> output_tensors;  ///< Of the '%' lines.
  std::vector<SampleLine> samples;          ///< At least one.

  /// "calib.txt:3", or of a folder "photos/cat.jpg": how messages name a sample.
  std::string place(const SampleLine& line) const;
};

/// Reads a list. A relative file is looked for in the list's folder, then in
/// the working directory.
/// Errors: kInvalidInput naming list and line: malformed lines, files that do
/// not exist, a list without samples.
Result<InputList> read_input_list(const std::filesystem::path& path);

/// The same for a list whose text is at hand; `path` says where it lies.
Result<InputList> parse_input_list(std::string_view text, const std::filesystem::path& path);

}  // namespace halfstep::io
