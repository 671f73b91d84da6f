// encodings_fuzz.cpp: an encodings file is read for a small model, which is then run with what it says.
#include <algorithm>

#include "fuzz_target.hpp"
#include "io/json/encodings_json.hpp"
#include "json_model.hpp"
#include "lower/lower.hpp"
#include "pipeline/load_model.hpp"
#include "small_run.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  const Result<io::EncodingsFile> file =
      io::read_encodings(fuzz::as_text(data, size), "encodings.json", fuzz::json_targets());
  if (!fuzz::succeeded(file)) return 0;
  const graph::Graph& graph = fuzz::json_model();
  const std::vector<Tensor> inputs = {fuzz::drawn_input({DType::kFloat32, Shape{1, 2, 4, 4}}, 1, fuzz::Values::kPlain)};
  const Result<FixedPointOptions> fixed = pipeline::fixed_options_for(file->encodings, file->arithmetic, {});
  if (!fuzz::succeeded(fixed)) return 0;
  fuzz::run_small(lower::simulated_program(graph, {}, file->encodings, fixed->arithmetic), inputs);
  fuzz::run_small(lower::fixed_program(graph, {}, file->encodings, *fixed), inputs);
  return 0;
}
