// scaling_support.hpp: small graphs with random weights, and what they compute.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "calib/observe.hpp"
#include "exec/executor.hpp"
#include "lower/lower.hpp"
#include "ops/infer_graph.hpp"
#include "unit/exec/small_graph.hpp"

namespace halfstep::tune {

/// A SmallGraph whose weights are drawn.
class RandomGraph : public exec::SmallGraph {
 public:
  explicit RandomGraph(unsigned seed) : rng_(seed) {}

  Tensor draw(const Shape& shape, float deviation = 0.5F) {
    std::normal_distribution<float> normal(0.0F, deviation);
    std::vector<float> values(static_cast<std::size_t>(shape.num_elements()));
    for (float& value : values) value = normal(rng_);
    return Tensor::of<float>(shape, std::span<const float>(values));
  }

  /// A node of `op_type` from `in` to `out`, weight "<out>.w" and bias "<out>.b" of `num_biases` values.
  RandomGraph& linear(const std::string& op_type, const std::string& in, const std::string& out, const Shape& weight,
                      std::int64_t num_biases = 0, std::int64_t groups = 1) {
    std::vector<std::string> inputs{in, out + ".w"};
    constant(out + ".w", draw(weight));
    if (num_biases > 0) {
      inputs.push_back(out + ".b");
      constant(out + ".b", draw(Shape{num_biases}));
    }
    node(op_type, inputs, {out});
    if (op_type != "Gemm" && op_type != "MatMul") last_node().attributes.set("group", groups);
    return *this;
  }
  RandomGraph& conv(const std::string& in, const std::string& out, const Shape& weight, std::int64_t groups = 1) {
    return linear("Conv", in, out, weight, weight[0], groups);
  }
  /// Fuses a clamp into the last node.
  RandomGraph& clamp(float min, float max) {
    last_node().clamp = graph::FusedClamp{.min = min, .max = max, .node_name = "", .pre_name = ""};
    return *this;
  }
  RandomGraph& relu() { return clamp(0.0F, std::numeric_limits<float>::infinity()); }

 private:
  std::mt19937 rng_;
};

inline ops::Facts facts_of(const graph::Graph& graph) {
  Result<ops::Facts> facts = ops::infer_facts(graph, {});
  EXPECT_TRUE(facts.ok()) << (facts.ok() ? "" : facts.error().message);
  return facts.ok() ? *std::move(facts) : ops::Facts(graph.values.size());
}

inline exec::Executor executor_of(const graph::Graph& graph) {
  Result<lower::Program> program = lower::float_program(graph, {});
  EXPECT_TRUE(program.ok()) << (program.ok() ? "" : program.error().message);
  return exec::Executor(std::make_shared<const lower::Program>(*std::move(program)));
}

inline std::vector<float> output_of(const graph::Graph& graph, const Tensor& x) {
  exec::Executor executor = executor_of(graph);
  const Result<void> ran = executor.run({&x, 1});
  EXPECT_TRUE(ran.ok()) << (ran.ok() ? "" : ran.error().message);
  return to_floats(executor.output(0));
}

/// |a - b| is within `relative` of the largest |b|.
inline void expect_close(const std::vector<float>& a, const std::vector<float>& b, double relative = 1e-4) {
  ASSERT_EQ(a.size(), b.size());
  float largest = 0.0F;
  float difference = 0.0F;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(b[i]));
    difference = std::max(difference, std::abs(a[i] - b[i]));
  }
  EXPECT_GT(largest, 0.0F);
  EXPECT_LE(static_cast<double>(difference), relative * static_cast<double>(largest));
}

/// What calibration sees of `watches` over `samples` of the only input.
inline calib::Observations observe_all(const graph::Graph& graph, std::vector<calib::Watch> watches,
                                       const std::vector<Tensor>& samples) {
  exec::Executor executor = executor_of(graph);
  calib::ObserveRequest request;
  request.samples.count = static_cast<std::int64_t>(samples.size());
  request.samples.load = [&](std::int64_t i) -> Result<std::vector<Tensor>> {
    return std::vector<Tensor>{samples[static_cast<std::size_t>(i)]};
  };
  request.watches = std::move(watches);
  request.executor = [&](int, std::span<const Tensor>) -> Result<exec::Executor*> { return &executor; };
  Result<calib::Observations> seen = calib::observe(graph, request);
  EXPECT_TRUE(seen.ok()) << (seen.ok() ? "" : seen.error().message);
  return seen.ok() ? *std::move(seen) : calib::Observations{};
}

}  // namespace halfstep::tune
