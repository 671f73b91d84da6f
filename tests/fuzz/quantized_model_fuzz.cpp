// quantized_model_fuzz.cpp: a QDQ or QOperator model is imported and run, simulated and in integers.
#include "fuzz_target.hpp"
#include "lower/lower.hpp"
#include "small_run.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  const fuzz::Values values = size % 2 == 0 ? fuzz::Values::kPlain : fuzz::Values::kExtreme;
  const std::optional<fuzz::SmallModel> small = fuzz::small_model(fuzz::as_bytes(data, size), values);
  if (!small || !pipeline::is_quantized(small->model)) return 0;
  const auto& [graph, encodings] = static_cast<const QuantizedGraph&>(small->model);
  const Result<FixedPointOptions> fixed = pipeline::fixed_options_for(small->model, {});
  if (!fuzz::succeeded(fixed)) return 0;
  fuzz::run_small(lower::simulated_program(graph, small->shapes, encodings, fixed->arithmetic), small->inputs);
  fuzz::run_small(lower::fixed_program(graph, small->shapes, encodings, *fixed), small->inputs);
  return 0;
}
