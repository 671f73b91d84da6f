// report_html_page.cpp: the frame of HTML reports: one self-contained page of sections.
#include "report/report_html_page.hpp"

#include "report/report_html_style.hpp"
#include "report/report_text.hpp"

namespace halfstep::report::html {

std::string page(std::string_view title, const std::string& head, const std::vector<Section>& sections,
                 std::string_view tool_version) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n<title>" +
      escaped(title) + "</title>\n<style>";
  out += kStyle;
  out += "</style>\n</head>\n<body>\n<div class=\"sheet\">\n" + head + "<nav aria-label=\"Contents\">";
  for (const Section& section : sections) {
    if (!section.content.empty()) out += std::string("<a href=\"#") + section.id + "\">" + section.title + "</a>\n";
  }
  out += "</nav>\n<main>\n";
  for (const Section& section : sections) {
    if (section.content.empty()) continue;
    out += std::string("<section id=\"") + section.id + "\"><h2>" + section.title + "</h2>\n" + section.content +
           "</section>\n";
  }
  out += "</main>\n<footer>halfstep " + escaped(tool_version) + "</footer>\n</div>\n<script>";
  out += kScript;
  return out + "</script>\n</body>\n</html>\n";
}

std::string tile(const std::string& label, const std::string& value, const std::string& more) {
  return "<li class=\"tile\"><span class=\"label\">" + label + "</span><b>" + value + "</b><span class=\"more\">" +
         more + "</span></li>\n";
}

std::string tile_list(const std::string& tiles) {
  return tiles.empty() ? "" : "<ul class=\"tiles\">\n" + tiles + "</ul>\n";
}

std::string fact(const char* label, const std::string& value) {
  return value.empty() ? "" : std::string("<dt>") + label + "</dt><dd>" + value + "</dd>\n";
}

std::string path_fact(const char* label, const std::string& path) {
  return fact(label, path.empty() ? "" : "<code>" + escaped(path) + "</code>");
}

std::string warning_list(const std::vector<std::string>& warnings) {
  if (warnings.empty()) return "";
  std::string out = "<div class=\"panel\"><ul>\n";
  for (const std::string& warning : warnings) out += "<li>" + escaped(warning) + "</li>\n";
  return out + "</ul></div>\n";
}

}  // namespace halfstep::report::html
