// labels.cpp: the right class of each sample.
#include "io/samples/labels.hpp"

#include <charconv>
#include <string>

#include "core/text.hpp"
#include "io/samples/text_lines.hpp"

namespace halfstep::io {

Result<std::vector<std::int64_t>> parse_labels(std::string_view text, const std::filesystem::path& path) {
  std::vector<std::int64_t> labels;
  for (const TextLine& line : lines_of(text)) {
    const std::string_view number = without_blanks(line.text.substr(0, line.text.find('#')));
    if (number.empty()) continue;
    std::int64_t label = 0;
    const char* const end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), end, label);
    if (error != std::errc() || stop != end || label < 0) {
      return Error{ErrorCode::kInvalidInput, path.string() + ":" + std::to_string(line.number) + ": label " +
                                                 halfstep::quoted(number) + " is not a class index (0, 1, 2, ...)"};
    }
    labels.push_back(label);
  }
  if (labels.empty()) return Error{ErrorCode::kInvalidInput, path.string() + ": holds no labels"};
  return labels;
}

Result<std::vector<std::int64_t>> read_labels(const std::filesystem::path& path) {
  const Result<std::string> text = read_text(path);
  if (!text.ok()) return text.error();
  return parse_labels(*text, path);
}

}  // namespace halfstep::io
