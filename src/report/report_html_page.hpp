// report_html_page.hpp: the frame of HTML reports: one self-contained page of sections.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace halfstep::report::html {

/// A part of the page with its place in the list of contents.
struct Section {
  const char* id;
  std::string title;
  std::string content;  ///< HTML. Empty: left out.
};

/// The page. `title` is text, `head` (HTML) stands above the list of contents.
std::string page(std::string_view title, const std::string& head, const std::vector<Section>& sections,
                 std::string_view tool_version);

/// A figure with a label above and more below it, all HTML; several stand in a tile_list().
std::string tile(const std::string& label, const std::string& value, const std::string& more);
/// "" without tiles.
std::string tile_list(const std::string& tiles);

/// A line of a list of facts, <dl class="facts">; `value` is HTML. "" without a value.
std::string fact(const char* label, const std::string& value);
/// The same of a path or name, as text.
std::string path_fact(const char* label, const std::string& path);

/// "" without warnings.
std::string warning_list(const std::vector<std::string>& warnings);

}  // namespace halfstep::report::html
