// markdown_text.cpp: names, lists and the length of reports as Markdown.
#include "report/markdown_text.hpp"

#include <utility>

#include "report/report_text.hpp"

namespace halfstep::report::markdown {
namespace {

/// GitHub refuses comments of more than 65,536 characters.
constexpr std::size_t kMaxBytes = 59000;
/// What stays free for the line that says how much was left out, and the closing tags.
constexpr std::size_t kReserve = 1000;
constexpr std::size_t kMarkdownNameChars = 60;
constexpr std::size_t kMaxTextChars = 300;

}  // namespace

std::string plain(std::string_view text) {
  constexpr std::string_view kSpecial = "\\`*_[]|~$#";
  std::string out;
  for (const char c : shortened(text, kMaxTextChars)) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      if (kSpecial.find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string code(std::string_view name) {
  const std::string shown = shortened(name, kMarkdownNameChars);
  if (shown.empty()) return "";
  // A span of code takes everything literally, but ends at a backtick, and a table's cell at a bar.
  const bool literal =
      shown.find_first_of("`|<>&\\") == std::string::npos && shown.front() != ' ' && shown.back() != ' ';
  return literal ? "`" + shown + "`" : "<code>" + plain(shown) + "</code>";
}

void Page::add_lines(const std::string& head, std::size_t count, const std::function<std::string(std::size_t)>& line,
                     const char* noun) {
  text_ += head;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string next = line(i);
    if (text_.size() + next.size() > kMaxBytes - kReserve) {
      text_ += "\n" + std::to_string(count - i) + " more " + noun + " do not fit here: see the JSON or HTML report.\n";
      return;
    }
    text_ += next;
  }
}

void Page::add_folded(const std::string& summary, const std::string& head, std::size_t count,
                      const std::function<std::string(std::size_t)>& line, const char* noun) {
  if (count == 0) return;
  if (text_.size() + 2 * kReserve > kMaxBytes) {
    add(summary + ": see the JSON or HTML report.\n\n");
    return;
  }
  add_lines("<details><summary>" + summary + "</summary>\n\n" + head, count, line, noun);
  add("\n</details>\n\n");
}

std::string Page::take() {
  while (text_.ends_with("\n\n")) text_.pop_back();
  return std::move(text_);
}

}  // namespace halfstep::report::markdown
