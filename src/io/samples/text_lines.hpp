// text_lines.hpp: reading files whole, and text files line by line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// Text files of lists and labels may not be larger than this.
inline constexpr std::uint64_t kMaxTextBytes = std::uint64_t{1} << 28;

/// Size of a regular file.
/// Errors: kInvalidInput with the path and the reason.
Result<std::uint64_t> regular_file_size(const std::filesystem::path& path);

/// Fills `bytes` with a file of exactly that size.
/// Errors: as regular_file_size(); also if the file is shorter or longer.
Result<void> read_file_into(const std::filesystem::path& path, std::span<std::byte> bytes);

/// The text of a file.
/// Errors: as regular_file_size(); also if it is larger than kMaxTextBytes or
/// holds a NUL byte: not a text file.
Result<std::string> read_text(const std::filesystem::path& path);

/// One line of a text file that is not blank, without blanks around it.
struct TextLine {
  int number;  ///< Counted from 1, blank lines included.
  std::string_view text;
};

/// The lines of `text` that are not blank. A byte order mark, carriage returns
/// before line feeds and a missing last line feed are tolerated.
std::vector<TextLine> lines_of(std::string_view text);

/// `text` without spaces, tabs and carriage returns at both ends.
std::string_view without_blanks(std::string_view text);

}  // namespace halfstep::io
