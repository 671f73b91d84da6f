// report_html_cells.hpp: what the tables of HTML reports are made of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace halfstep::report::html {

/// escaped(), with leave to break lines behind slashes.
std::string breakable(std::string_view name);

/// The head of a row; long names are cut in the middle, pointing at them shows the whole.
std::string name_cell(std::string_view name);

std::string text_cell(std::string_view text);

/// A figure; `shown` is empty where there is none. `value` is what sorting goes by.
std::string figure_cell(const std::string& shown, double value);

struct Column {
  const char* words;
  bool is_number;
  const char* explanation;  ///< Shown when pointed at; "" if the words say it all.
};

enum class Sorted { kAscending, kDescending };

/// A table in a box that scrolls. `rows` are whole <tr> elements; `sorted_column` ("": none) are the words of the
/// column that they are sorted by.
std::string table(const std::string& css_class, const std::string& caption, const std::vector<Column>& columns,
                  const std::string& rows, const char* sorted_column = "", Sorted sorted = Sorted::kAscending);

}  // namespace halfstep::report::html
