// report_html_pictures.cpp: PNG files inside the page.
#include "report/report_html_pictures.hpp"

#include <algorithm>

#include "report/report_text.hpp"

namespace halfstep::report::html {
namespace {

/// Small pictures are enlarged to this width, large ones are shrunk, by whole pixels where the browser can.
constexpr std::int64_t kShownWidth = 224;

}  // namespace

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) text += k <= count ? kDigits[group >> (18 - 6 * k) & 63U] : '=';
  }
  return text;
}

std::string pictures(const Report& report) {
  if (report.pictures.empty()) return "";
  std::string out = "<div class=\"panel\"><p>The first samples as the network sees them, before mean and scale.";
  if (report.preprocess) {
    out += " Preprocessing <code>" + escaped(report.preprocess->name) + "</code>: <code>" +
           escaped(report.preprocess->json) + "</code>";
  }
  out += "</p><div style=\"display:flex;flex-wrap:wrap;gap:1rem\">\n";
  for (const Picture& picture : report.pictures) {
    out += "<figure style=\"margin:0;max-width:" + std::to_string(kShownWidth) + "px\"><img width=\"" +
           std::to_string(kShownWidth) + "\" alt=\"" + escaped(picture.name) +
           "\" style=\"image-rendering:pixelated;max-width:100%\" src=\"data:image/png;base64," + base64(picture.png) +
           "\"><figcaption style=\"overflow-wrap:anywhere\"><code>" + escaped(picture.name) + "</code>, " +
           std::to_string(picture.width) + " x " + std::to_string(picture.height) + "</figcaption></figure>\n";
  }
  return out + "</div></div>\n";
}

}  // namespace halfstep::report::html
