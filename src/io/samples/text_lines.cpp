// text_lines.cpp: reading files whole, and text files line by line.
#include "io/samples/text_lines.hpp"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "core/text.hpp"

namespace halfstep::io {
namespace {

namespace fs = std::filesystem;

Error file_error(const fs::path& path, const std::string& reason) {
  return {ErrorCode::kInvalidInput, "cannot read " + halfstep::quoted(path.string()) + ": " + reason};
}

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

Result<std::uint64_t> regular_file_size(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return file_error(path, "no such file");
  if (error) return file_error(path, error.message());
  if (status.type() != fs::file_type::regular) return file_error(path, "not a regular file");
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) return file_error(path, error.message());
  return std::uint64_t{size};
}

Result<void> read_file_into(const fs::path& path, std::span<std::byte> bytes) {
  const Result<std::uint64_t> size = regular_file_size(path);
  if (!size.ok()) return size.error();
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
  if (!file) return file_error(path, std::error_code(errno, std::generic_category()).message());
  const std::size_t count = bytes.empty() ? 0 : std::fread(bytes.data(), 1, bytes.size(), file.get());
  if (std::ferror(file.get()) != 0) {
    return file_error(path, std::error_code(errno, std::generic_category()).message());
  }
  if (count != bytes.size() || std::fgetc(file.get()) != EOF) {
    return file_error(path, "its size is no longer " + std::to_string(bytes.size()) + " bytes");
  }
  return {};
}

Result<std::string> read_text(const fs::path& path) {
  const Result<std::uint64_t> size = regular_file_size(path);
  if (!size.ok()) return size.error();
  if (*size > kMaxTextBytes) return file_error(path, "too large for a text file");
  std::string text(static_cast<std::size_t>(*size), '\0');
  if (auto read = read_file_into(path, std::as_writable_bytes(std::span(text))); !read.ok()) return read.error();
  if (text.find('\0') != std::string::npos) return file_error(path, "not a text file");
  return text;
}

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<TextLine> lines_of(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<TextLine> lines;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = without_blanks(text.substr(0, end));
    if (!line.empty()) lines.push_back({number, line});
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

}  // namespace halfstep::io
