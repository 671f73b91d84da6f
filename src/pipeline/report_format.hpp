// report_format.hpp: the forms a report is written in, by the ending of its file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "halfstep/result.hpp"
#include "report/report.hpp"

namespace halfstep::pipeline {

/// A kind of report and how it is written.
struct ReportFormat {
  std::string_view extension;
  std::string (*write)(const report::Report&);
};

/// By the extension of `path`, in any case; nullptr if it is none of ours. Devices and pipes get JSON.
const ReportFormat* report_format_of(const std::filesystem::path& path);

/// Errors: kUsage if report_format_of() knows none.
Result<void> check_report_format(const std::filesystem::path& path);

}  // namespace halfstep::pipeline
