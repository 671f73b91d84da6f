// calibrated_model_fuzz.cpp: an ONNX file is calibrated by one sample, then run, simulated and in integers.
#include "fuzz_target.hpp"
#include "lower/lower.hpp"
#include "pipeline/calibrate.hpp"
#include "pipeline/observe_float.hpp"
#include "small_run.hpp"

namespace halfstep::fuzz {
namespace {

/// Options that the input chooses by its size: every kind of grid is met.
QuantizationOptions options_for(std::size_t size) {
  QuantizationOptions options;
  options.act_bits = size % 2 == 0 ? 8 : 16;
  options.scale = size % 3 == 0 ? ScaleKind::kPowerOfTwo : ScaleKind::kAffine;
  options.weight_bits = size % 5 == 0 ? 4 : 8;
  if (size % 7 == 0) options.act_schema = Schema::kSymmetric;
  return options;
}

void quantize_and_run(const SmallModel& small, std::size_t size) {
  const graph::Graph& graph = small.model.graph;
  exec::SampleSource samples;
  samples.count = 1;
  samples.load = [&](std::int64_t) -> Result<std::vector<Tensor>> { return small.inputs; };
  samples.place = [](std::int64_t) { return std::string("list.txt:1"); };
  const pipeline::ObserveTensors observe = [&](const ops::Facts& facts, const precision::Plan& plan) {
    return pipeline::observe_float(graph, precision::watches_of(graph, facts, plan), samples, 1, "calibrating", {});
  };
  const Result<pipeline::Calibration> calibration =
      pipeline::calibrate(graph, pipeline::given_of(small.model), small.shapes, options_for(size), observe);
  if (!succeeded(calibration)) return;
  const EncodingSet& encodings = calibration->model.encodings;
  const Result<FixedPointOptions> fixed = pipeline::fixed_options_for(encodings, "", {});
  if (!succeeded(fixed)) return;
  run_small(lower::simulated_program(graph, small.shapes, encodings, fixed->arithmetic), small.inputs);
  run_small(lower::fixed_program(graph, small.shapes, encodings, *fixed), small.inputs);
}

}  // namespace
}  // namespace halfstep::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  const std::optional<fuzz::SmallModel> small = fuzz::small_model(fuzz::as_bytes(data, size), fuzz::Values::kPlain);
  if (small) fuzz::quantize_and_run(*small, size);
  return 0;
}
