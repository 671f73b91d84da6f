// report_html_cells.cpp: what the tables of HTML reports are made of.
#include "report/report_html_cells.hpp"

#include <algorithm>
#include <cmath>

#include "report/report_text.hpp"

namespace halfstep::report::html {
namespace {

/// Names longer than that are cut; pointing at them shows the whole.
constexpr std::size_t kCellNameChars = 160;

}  // namespace

std::string breakable(std::string_view name) {
  std::string out;
  for (const char c : escaped(name)) {
    out += c;
    if (c == '/') out += "<wbr>";
  }
  return out;
}

std::string name_cell(std::string_view name) {
  const std::string shown = shortened(name, kCellNameChars);
  const bool is_cut = shown != printable(name);
  return "<th scope=\"row\" class=\"name\"" + (is_cut ? " title=\"" + escaped(name) + "\"" : std::string()) + ">" +
         breakable(shown) + "</th>";
}

std::string text_cell(std::string_view text) { return "<td class=\"text\">" + escaped(text) + "</td>"; }

std::string figure_cell(const std::string& shown, double value) {
  // Infinities and NaN are no JavaScript numbers in this spelling; the limits of the report sort alike.
  const double sorted = std::isnan(value) ? -kMaxReportedDb * 1e6 : std::clamp(value, -1e300, 1e300);
  return "<td class=\"n\" data-v=\"" + (shown.empty() ? std::string() : significant(sorted, 9)) + "\">" + shown +
         "</td>";
}

std::string table(const std::string& css_class, const std::string& caption, const std::vector<Column>& columns,
                  const std::string& rows, const char* sorted_column, Sorted sorted) {
  std::string out = "<div class=\"table-box\" tabindex=\"0\" role=\"region\" aria-label=\"" + caption +
                    "\"><table class=\"" + css_class + "\"><thead><tr>";
  for (const Column& column : columns) {
    out += "<th scope=\"col\"";
    if (column.is_number) out += " class=\"n\"";
    if (*column.explanation != '\0') out += std::string(" title=\"") + column.explanation + "\"";
    if (*sorted_column != '\0' && std::string_view(sorted_column) == column.words) {
      out += sorted == Sorted::kAscending ? " aria-sort=\"ascending\"" : " aria-sort=\"descending\"";
    }
    out += std::string(">") + column.words + "</th>";
  }
  return out + "</tr></thead><tbody>\n" + rows + "</tbody></table></div>\n";
}

}  // namespace halfstep::report::html
