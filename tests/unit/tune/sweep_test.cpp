// Contract under test: tune/sweep.hpp. What reaches a layer and leaves it are the bits of a run of the whole model.
#include "tune/sweep.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "ops/operands.hpp"
#include "precision/bias_grids.hpp"
#include "unit/exec/temporary_environment.hpp"
#include "unit/tune/sweep_graphs.hpp"
#include "unit/tune/sweep_support.hpp"

namespace halfstep::tune {
namespace {

using testing::HasSubstr;

constexpr int kNumSamples = 6;

/// One tensor by sample.
using BySample = std::vector<StoredTensor>;

/// What a sweep showed of its layers, by the name of input 0 and output 0.
struct Seen {
  std::map<std::string, BySample> inputs;
  std::map<std::string, BySample> outputs;
  SweepOutcome outcome;
};

SeeTensor keep_in(BySample& kept) {
  kept.assign(kNumSamples, {});
  return [&kept](std::int64_t sample, int, ConstView view, const Encoding* grid) -> Result<void> {
    StoredTensor& stored = kept[static_cast<std::size_t>(sample)];
    stored.tensor = Tensor::copy_of(view);
    if (grid != nullptr) stored.grid = *grid;
    return {};
  };
}

/// Sweeps with `change` at each layer; outputs are those after the change.
Seen sweep_keeping(QuantizedGraph& model, const SweepRequest& request,
                   const std::function<void(const SweptLayer&)>& change) {
  Seen seen;
  const Result<SweepOutcome> outcome = sweep(model, request, [&](const SweptLayer& layer) -> Result<void> {
    const graph::Node& node = model.graph.node(layer.node());
    BySample& inputs = seen.inputs[model.graph.value(node.inputs[0]).name];
    if (auto done = layer.for_each_input(kNumSamples, keep_in(inputs)); !done.ok()) return done;
    EXPECT_EQ(layer.input_grid() != nullptr, inputs[0].grid.has_value());
    change(layer);
    const graph::ValueId output = model.graph.node(layer.last()).outputs[0];
    return layer.for_each_output(kNumSamples, keep_in(seen.outputs[model.graph.value(output).name]));
  });
  EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : outcome.error().message);
  if (outcome.ok()) seen.outcome = *outcome;
  EXPECT_EQ(seen.outcome.stopped, "");
  EXPECT_EQ(seen.outcome.num_left, 0U);
  return seen;
}

void expect_same(const std::map<std::string, BySample>& seen, std::size_t sample, const StoredTensors& whole) {
  for (const auto& [name, tensors] : seen) {
    ASSERT_TRUE(whole.contains(name)) << name;
    EXPECT_TRUE(identical(tensors[sample].tensor, whole.at(name).tensor)) << name << " of " << sample;
    EXPECT_EQ(tensors[sample].grid, whole.at(name).grid) << name;
  }
}

/// Runs the whole model as it is now and compares.
void expect_whole_model(const Seen& seen, const SweptCase& swept, const FixedPointOptions& fixed) {
  EXPECT_EQ(seen.outcome.num_layers, static_cast<std::int64_t>(seen.outputs.size()));
  for (std::size_t s = 0; s < swept.samples.size(); ++s) {
    const StoredTensors whole = run_fixed(swept.model, fixed, swept.samples[s]);
    expect_same(seen.inputs, s, whole);
    expect_same(seen.outputs, s, whole);
  }
}

/// Another weight on coarser grids, another bias, and the grid that the bias then has.
void change_layer(QuantizedGraph& model, const SweptLayer& layer) {
  const graph::Node& node = model.graph.node(layer.node());
  const graph::ValueId weight = ops::weight_of(model.graph, node);
  const TensorEncoding* entry = find_encoding(model.encodings, model.graph.value(weight).name);
  if (entry == nullptr) return;
  std::vector<QuantParams> params = entry->encoding.params();
  for (QuantParams& one : params) one.scale *= 2.0;
  const IntGrid grid = entry->encoding.grid();
  const Encoding coarser = entry->encoding.axis() ? *Encoding::per_channel(grid, *entry->encoding.axis(), params)
                                                  : *Encoding::per_tensor(grid, params[0]);
  const auto changed_by = [&](graph::ValueId id, float factor, float offset) {
    Tensor after(model.graph.value(id).constant->type());
    std::ranges::transform(model.graph.value(id).constant->values<float>(), after.mutable_data<float>(),
                           [&](float value) { return value * factor + offset; });
    return after;
  };
  EXPECT_TRUE(change_encoding(model, weight, coarser, "changed").ok());
  EXPECT_TRUE(change_constant(model, weight, changed_by(weight, 0.75F, 0.0F), "changed").ok());
  const graph::ValueId bias = ops::bias_of(model.graph, node);
  if (bias == graph::kNoValue) return;
  EXPECT_TRUE(change_constant(model, bias, changed_by(bias, 1.0F, 0.3F), "changed").ok());
  if (!model.encodings.contains(model.graph.value(bias).name) || layer.input_grid() == nullptr) return;
  std::vector<double> scales;
  for (const QuantParams& one : layer.input_grid()->params()) scales.push_back(one.scale);
  const Result<Encoding> follows = precision::bias_encoding(*model.graph.value(bias).constant, scales, coarser);
  ASSERT_TRUE(follows.ok());
  EXPECT_TRUE(change_encoding(model, bias, *follows, "changed").ok());
}

const std::function<void(const SweptLayer&)> kNoChange = [](const SweptLayer&) {};

TEST(Sweep, IsTheWholeModelUnderEveryArithmetic) {
  for (NamedGraph& named : sweep_graphs()) {
    SweptCase swept(named.small, kNumSamples, power_of_two_options());
    for (const ArithmeticName& rule : kArithmeticNames) {
      SCOPED_TRACE(named.name + ", " + std::string(rule.name));
      const FixedPointOptions fixed{.arithmetic = rule.arithmetic};
      expect_whole_model(sweep_keeping(swept.model, swept.request(2, fixed), kNoChange), swept, fixed);
    }
  }
}

TEST(Sweep, IsTheWholeModelOnEveryKindOfGrid) {
  precision::Options per_channel;
  per_channel.act_per_channel = ActPerChannel::kDepthwise;
  precision::Options wide;
  wide.act_bits = 16;
  precision::Options plain;
  plain.per_channel = WeightsPerChannel::kNone;
  plain.bias_bits = 8;
  plain.weight_bits = 4;
  for (const precision::Options& options : {precision::Options{}, per_channel, wide, plain}) {
    for (NamedGraph& named : sweep_graphs()) {
      SCOPED_TRACE(named.name);
      SweptCase swept(named.small, kNumSamples, options);
      for (const int bits : {32, 64}) {
        const FixedPointOptions fixed{.accumulator_bits = bits};
        expect_whole_model(sweep_keeping(swept.model, swept.request(1, fixed), kNoChange), swept, fixed);
      }
    }
  }
}

TEST(Sweep, ChangesAreSeenDownstreamForAnyThreadsAndMemory) {
  for (NamedGraph& named : sweep_graphs()) {
    for (const bool power_of_two : {false, true}) {
      const precision::Options options = power_of_two ? power_of_two_options() : precision::Options{};
      const FixedPointOptions fixed{.arithmetic = power_of_two ? Arithmetic::kShiftHalfUp : Arithmetic::kQ31Single};
      for (const int num_threads : {1, 2, 5}) {
        for (const std::size_t memory : {std::size_t{0}, std::size_t{900}, std::size_t{1} << 20}) {
          SCOPED_TRACE(named.name + ", " + std::to_string(num_threads) + " threads, " + std::to_string(memory));
          SweptCase swept(named.small, kNumSamples, options);
          SweepRequest request = swept.request(num_threads, fixed);
          request.memory_bytes = memory;
          const Seen seen =
              sweep_keeping(swept.model, request, [&](const SweptLayer& layer) { change_layer(swept.model, layer); });
          expect_whole_model(seen, swept, fixed);
          EXPECT_LE(seen.outcome.peak_bytes, memory);
          if (memory != 900) {
            EXPECT_EQ(seen.outcome.spilled_bytes == 0, memory > 0);
          }
        }
      }
    }
  }
}

// Accumulators stand in for the codes of an output without a grid.
TEST(Sweep, LayersWithoutAnOutputGridHandOnAccumulators) {
  RandomGraph small = residual_graph();
  SweptCase swept(small, kNumSamples);
  swept.model.encodings.erase("b");
  const Seen seen = sweep_keeping(swept.model, swept.request(2), kNoChange);
  expect_whole_model(seen, swept, {});
  ASSERT_TRUE(seen.outputs.at("b")[0].grid.has_value());
  EXPECT_EQ(storage_bits(seen.outputs.at("b")[0].grid->grid()), 32);
}

TEST(Sweep, LayersOnRealNumbersAreVisitedToo) {
  RandomGraph small = residual_graph();
  SweptCase swept(small, kNumSamples);
  for (const char* name : {"x", "b.w", "b.b"}) swept.model.encodings.erase(name);
  const Seen seen = sweep_keeping(swept.model, swept.request(2), kNoChange);
  EXPECT_EQ(seen.inputs.at("x")[0].grid, std::nullopt);
  expect_whole_model(seen, swept, {});
}

TEST(Sweep, LayersOfConstantInputAreVisitedOrLeftInPeace) {
  RandomGraph small(15);
  small.input("x", {2, 3}).output("y");
  small.constant("a", small.draw({2, 4}));
  small.linear("MatMul", "x", "c", {3, 3});
  small.constant("g.w", small.draw({4, 3}));
  small.node("Gemm", {"a", "g.w", "c"}, {"g"});
  small.linear("MatMul", "g", "y", {3, 2});
  SweptCase swept(small, kNumSamples);
  std::vector<std::string> visited;
  const Result<SweepOutcome> outcome = sweep(swept.model, swept.request(), [&](const SweptLayer& layer) {
    visited.push_back(swept.model.graph.value(swept.model.graph.node(layer.node()).outputs[0]).name);
    BySample kept;
    return layer.for_each_input(kNumSamples, keep_in(kept));
  });
  ASSERT_TRUE(outcome.ok()) << outcome.error().message;
  EXPECT_THAT(visited, testing::ElementsAre("c", "y"));
}

TEST(Sweep, FewerSamplesAreTheFirstOnes) {
  RandomGraph small = residual_graph();
  SweptCase swept(small, kNumSamples);
  swept.at_layer("b", swept.request(2), [&](const SweptLayer& layer, const graph::Node&) {
    std::array<int, kNumSamples> times{};
    const SeeTensor count = [&](std::int64_t sample, int worker, ConstView, const Encoding*) -> Result<void> {
      EXPECT_LT(worker, 2);
      ++times[static_cast<std::size_t>(sample)];
      return {};
    };
    EXPECT_TRUE(layer.for_each_input(2, count).ok());
    EXPECT_TRUE(layer.for_each_output(1000, count).ok());
    EXPECT_EQ(times, (std::array<int, kNumSamples>{2, 2, 1, 1, 1, 1}));
  });
}

TEST(Sweep, ProgressCountsLayers) {
  RandomGraph small = residual_graph();
  SweptCase swept(small, 1);
  SweepRequest request = swept.request();
  std::string text;
  request.progress = [&](std::int64_t done, std::int64_t total) {
    text += std::to_string(done) + "/" + std::to_string(total) + " ";
  };
  ASSERT_TRUE(sweep(swept.model, request, [](const SweptLayer&) -> Result<void> { return {}; }).ok());
  EXPECT_EQ(text, "1/3 2/3 3/3 ");
}

TEST(Sweep, ModelsWithoutLayersAreDoneAtOnce) {
  RandomGraph small(16);
  small.input("x", {1, 3}).node("Relu", {"x"}, {"y"}).output("y");
  SweptCase swept(small, 1);
  const auto outcome = sweep(swept.model, swept.request(), [](const SweptLayer&) -> Result<void> { return {}; });
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->num_layers, 0);
}

Error error_of(const SweptCase& swept, const SweepRequest& request, const Result<void>& visited = {}) {
  const auto outcome = sweep(swept.model, request, [&](const SweptLayer&) { return visited; });
  EXPECT_FALSE(outcome.ok());
  return outcome.ok() ? Error{} : outcome.error();
}

TEST(Sweep, SamplesOfAnotherShapeAreNamed) {
  RandomGraph small = residual_graph();
  SweptCase swept(small, 3);
  swept.samples[2] = {small.draw({1, 3, 5, 6})};
  for (const int num_threads : {1, 2}) {
    const Error error = error_of(swept, swept.request(num_threads));
    EXPECT_EQ(error.code, ErrorCode::kInvalidInput);
    EXPECT_THAT(error.message, HasSubstr("list.txt:3: input 'x' is float32[1, 3, 5, 6]"));
  }
}

TEST(Sweep, ErrorsOfLoadingVisitingAndStoringComeThrough) {
  RandomGraph small = residual_graph();
  SweptCase swept(small, 3);
  SweepRequest request = swept.request();
  request.samples.load = [](std::int64_t) -> Result<Inputs> { return Error{ErrorCode::kInvalidInput, "no file"}; };
  EXPECT_EQ(error_of(swept, request).message, "no file");
  EXPECT_EQ(error_of(swept, swept.request(), Error{ErrorCode::kCalibration, "no range"}).message, "no range");
  const exec::TemporaryEnvironment absent("TMPDIR", "/nonexistent/halfstep");
  request = swept.request(2);
  request.memory_bytes = 0;
  EXPECT_THAT(error_of(swept, request).message, HasSubstr("/nonexistent/halfstep: cannot make a temporary file"));
}

}  // namespace
}  // namespace halfstep::tune
