// report_html_pictures.hpp: the first samples as the network sees them.
#pragma once

#include <string>
#include <string_view>

#include "report/report.hpp"

namespace halfstep::report::html {

/// RFC 4648, section 4.
std::string base64(std::string_view bytes);

/// The pictures of a report side by side, and how they were made. "" without any.
std::string pictures(const Report& report);

}  // namespace halfstep::report::html
