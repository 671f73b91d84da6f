// model_fuzz.cpp: an ONNX file is read, prepared, lowered and run in float.
#include "fuzz_target.hpp"
#include "lower/lower.hpp"
#include "small_run.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  const fuzz::Values values = size % 2 == 0 ? fuzz::Values::kPlain : fuzz::Values::kExtreme;
  const std::optional<fuzz::SmallModel> small = fuzz::small_model(fuzz::as_bytes(data, size), values);
  if (!small) return 0;
  fuzz::run_small(lower::float_program(small->model.graph, small->shapes), small->inputs);
  return 0;
}
