// markdown_text.hpp: names, lists and the length of reports as Markdown.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace halfstep::report::markdown {

/// Text between marks, safe in a table: Markdown and HTML see no syntax in it. Cut to 300 characters.
std::string plain(std::string_view text);

/// A name in the type of code, cut to 60 characters.
std::string code(std::string_view name);

/// Takes pieces of a comment on a pull request as long as it stays within the length that forges accept.
class Page {
 public:
  /// Text that is short.
  void add(const std::string& text) { text_ += text; }

  /// `head`, then a line for each of `count` things; says how many `noun` did not fit.
  void add_lines(const std::string& head, std::size_t count, const std::function<std::string(std::size_t)>& line,
                 const char* noun);

  /// The same behind a fold that shows `summary`. Nothing if `count` is 0.
  void add_folded(const std::string& summary, const std::string& head, std::size_t count,
                  const std::function<std::string(std::size_t)>& line, const char* noun);

  /// The text so far, ending in one line feed.
  std::string take();

 private:
  std::string text_;
};

}  // namespace halfstep::report::markdown
