// json_lines.cpp: one pass over the text that looks at brackets, commas and strings only.
#include "io/json/json_lines.hpp"

#include <nlohmann/json.hpp>

namespace halfstep::io {
namespace {

constexpr std::size_t kInDocument = 1;  ///< Depth of the keys of sections,
constexpr std::size_t kInSection = 2;   ///< of the members or elements of a section,
constexpr std::size_t kInEntry = 3;     ///< and of their own keys.

class LineScan {
 public:
  explicit LineScan(std::string_view text) : text_(text) {}

  std::vector<JsonSection> run() {
    for (at_ = 0; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ':') continue;
      if (c == ',') {
        expects_ = true;
      } else if (c == '}' || c == ']') {
        if (!open_.empty()) open_.pop_back();
        expects_ = false;
      } else {
        take_token(c);
      }
    }
    return std::move(sections_);
  }

 private:
  bool in(std::size_t depth, char bracket) const { return open_.size() == depth && open_.back() == bracket; }

  /// The start of a key or a value.
  void take_token(char first) {
    const bool starts = expects_;
    expects_ = false;
    if (starts && in(kInSection, '[') && !sections_.empty()) sections_.back().members.push_back({"", line_});
    if (first == '"') {
      const std::string_view token = string_token();
      if (starts && !open_.empty() && open_.back() == '{') take_key(token);
    } else if (first == '{' || first == '[') {
      open_.push_back(first);
      expects_ = true;
    }
  }

  void take_key(std::string_view token) {
    if (in(kInDocument, '{')) sections_.push_back({decoded(token), line_, {}});
    if (sections_.empty()) return;
    std::vector<JsonMember>& members = sections_.back().members;
    if (in(kInSection, '{')) members.push_back({decoded(token), line_});
    if (in(kInEntry, '{') && open_[kInSection - 1] == '[' && decoded(token) == "name") members.back().line = line_;
  }

  /// The string that starts here, quotes included; leaves the position at its end.
  std::string_view string_token() {
    const std::size_t begin = at_;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    return text_.substr(begin, at_ + 1 - begin);
  }

  static std::string decoded(std::string_view token) {
    const nlohmann::json key = nlohmann::json::parse(token.begin(), token.end(), nullptr, false);
    return key.is_string() ? key.get<std::string>() : "";
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool expects_ = false;    ///< A key of an object, or an element of a list, comes next.
  std::vector<char> open_;  ///< The brackets around the position.
  std::vector<JsonSection> sections_;
};

}  // namespace

std::vector<JsonSection> json_sections(std::string_view text) { return LineScan(text).run(); }

}  // namespace halfstep::io
