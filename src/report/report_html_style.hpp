// report_html_style.hpp: the style sheet and the script of the HTML report.
#pragma once

#include <string_view>

namespace halfstep::report::html {

/// CSS for screens of every width, light and dark.
extern const std::string_view kStyle;

/// Makes the columns of `table.sortable` sortable; without it the page only lacks that.
extern const std::string_view kScript;

}  // namespace halfstep::report::html
