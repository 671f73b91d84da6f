// report_format.cpp: the table of endings.
#include "pipeline/report_format.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <system_error>

namespace halfstep::pipeline {
namespace {

constexpr ReportFormat kFormats[] = {{".json", &report::to_json},
                                     {".md", &report::to_markdown},
                                     {".xml", &report::to_junit},
                                     {".html", &report::to_html}};

}  // namespace

const ReportFormat* report_format_of(const std::filesystem::path& path) {
  std::error_code failure;
  if (std::filesystem::is_other(path, failure)) return &kFormats[0];
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto at = std::ranges::find(kFormats, extension, &ReportFormat::extension);
  return at == std::end(kFormats) ? nullptr : at;
}

Result<void> check_report_format(const std::filesystem::path& path) {
  if (report_format_of(path) != nullptr) return {};
  return Error{ErrorCode::kUsage, "--report " + path.string() + ": a report ends in .json, .md, .xml (JUnit) or .html"};
}

}  // namespace halfstep::pipeline
