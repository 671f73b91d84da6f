// baseline_fuzz.cpp: the report of an earlier run (quantize-eval --baseline).
#include "fuzz_target.hpp"
#include "report/baseline.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  const Result<report::Baseline> baseline = report::parse_baseline(fuzz::as_text(data, size), "baseline.json");
  if (!fuzz::succeeded(baseline)) return 0;
  report::Report report;
  report.comparison.emplace();
  (void)fuzz::succeeded(report::check_same_run(*baseline, report));
  return 0;
}
