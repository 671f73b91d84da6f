// scores_fuzz.cpp: the scores that a stopped run of quantize-sensitivity left.
#include "fuzz_target.hpp"
#include "io/json/sensitivity_results.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  const Result<io::SensitivityResults> results = io::read_results(fuzz::as_text(data, size), "scores.jsonl");
  if (!fuzz::succeeded(results)) return 0;
  std::string text = io::results_header(results->key);
  for (const io::FormScore& score : results->scores) text += io::results_line(score);
  const Result<io::SensitivityResults> again = io::read_results(text, "scores.jsonl");
  fuzz::expect(again.ok() && again->scores == results->scores, "scores that do not come back");
  return 0;
}
