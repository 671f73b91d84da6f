// Contract under test: exec/parts.hpp. A part computes the bits of the whole model, at the cost of its own nodes.
#include "exec/parts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

#include "exec/executor.hpp"
#include "unit/exec/small_graph.hpp"

namespace halfstep::exec {
namespace {

using testing::HasSubstr;

enum class Kind { kFloat, kSimulated, kFixed };
constexpr Kind kKinds[] = {Kind::kFloat, Kind::kSimulated, Kind::kFixed};

/// A tensor as a tap saw it.
struct Stored {
  Tensor tensor;
  std::optional<Encoding> grid;  // Set: `tensor` holds codes on it.
};
using StoredTensors = std::map<std::string, Stored>;

Tensor waves(Shape shape, float step) {
  Tensor tensor(TensorType{DType::kFloat32, std::move(shape)});
  float phase = 0.3F;
  for (std::int64_t i = 0; i < tensor.num_elements(); ++i) {
    phase += step;
    if (phase > 1.0F) phase -= 2.0F;
    tensor.mutable_data<float>()[i] = phase;
  }
  return tensor;
}

TensorEncoding activation(double scale, std::int32_t zero_point) {
  return {*Encoding::per_tensor({0, 255}, {scale, zero_point}), TensorRole::kActivation, {}, {}, false};
}

TensorEncoding weight(double scale) {
  return {*Encoding::per_tensor({-128, 127}, {scale, 0}), TensorRole::kWeight, {}, {}, false};
}

/// Two branches from one product, among them: a grid that was moved on, an accumulator's grid, an island, a shape that
/// is computed from the input's.
SmallGraph branching() {
  SmallGraph small;
  small.input("x", {1, 4, 6, 6})
      .constant("w1", waves(Shape{4, 4, 3, 3}, 0.37F))
      .constant("w2", waves(Shape{4, 4, 1, 1}, 0.71F))
      .constant("w3", waves(Shape{4, 4, 1, 1}, 0.23F))
      .node("Conv", {"x", "w1"}, {"a"})
      .node("Relu", {"a"}, {"b"})
      .node("Transpose", {"b"}, {"moved"})
      .node("Conv", {"moved", "w2"}, {"sums"})
      .node("MaxPool", {"sums"}, {"pooled"})
      .node("Conv", {"b", "w3"}, {"d"})
      .node("MaxPool", {"d"}, {"e"})
      .node("Erf", {"e"}, {"island"})
      .node("Add", {"island", "pooled"}, {"joined"})
      .node("Shape", {"x"}, {"shape"})
      .node("Gather", {"shape", "first"}, {"batch"})
      .node("Concat", {"batch", "rest"}, {"new_shape"})
      .constant("first", Tensor::of<std::int64_t>(Shape{1}, {0}))
      .constant("rest", Tensor::of<std::int64_t>(Shape{1}, {-1}))
      .node("Reshape", {"joined", "new_shape"}, {"y"})
      .output("y")
      .output("d");
  return small;
}

/// branching() with the attributes that its nodes need.
graph::Graph branching_graph() {
  graph::Graph graph = branching().graph();
  for (graph::Node& node : graph.nodes) {
    if (node.op_type == "Transpose") node.attributes.set("perm", std::vector<std::int64_t>{0, 1, 3, 2});
    if (node.op_type == "MaxPool") node.attributes.set("kernel_shape", std::vector<std::int64_t>{2, 2});
    if (node.op_type == "Concat") node.attributes.set("axis", std::int64_t{0});
  }
  EXPECT_TRUE(graph::verify(graph).ok());
  return graph;
}

EncodingSet encodings() {
  return {{"x", activation(0.008, 127)},
          {"w1", weight(0.008)},
          {"w2", weight(0.008)},
          {"w3", weight(0.0078)},
          {"a", activation(0.031, 128)},
          {"b", activation(0.017, 0)},
          {"d", activation(0.02, 117)},
          {"island", activation(0.008, 127)},
          {"joined", activation(0.04, 121)}};
}

Result<lower::Program> lowered(Kind kind, const graph::Graph& graph, const lower::CodeInputs& codes = {}) {
  switch (kind) {
    case Kind::kFloat:
      return lower::float_program(graph, {});
    case Kind::kSimulated:
      return lower::simulated_program(graph, {}, encodings());
    case Kind::kFixed:
      break;
  }
  return lower::fixed_program(graph, {}, encodings(), {}, codes);
}

/// All tensors of a run.
StoredTensors run_all(const lower::Program& program, std::span<const Tensor> inputs) {
  StoredTensors seen;
  Executor executor(std::make_shared<const lower::Program>(program));
  const Result<void> ran = executor.run(inputs, [&](const Tapped& tapped) -> Result<void> {
    for (const lower::Slot& slot : program.slots) {
      if (slot.value != tapped.value) continue;
      Stored stored{Tensor::copy_of(tapped.view), {}};
      if (tapped.encoding != nullptr) stored.grid = *tapped.encoding;
      seen.insert_or_assign(slot.name, std::move(stored));
    }
    return {};
  });
  EXPECT_TRUE(ran.ok()) << (ran.ok() ? "" : ran.error().message);
  return seen;
}

class Parting : public testing::TestWithParam<Kind> {
 protected:
  Parting() {
    Result<lower::Program> program = lowered(GetParam(), graph_);
    EXPECT_TRUE(program.ok()) << program.error().message;
    const Tensor x = waves(Shape{1, 4, 6, 6}, 0.131F);
    stored_ = run_all(*program, {&x, 1});
    num_steps_ = program->steps.size();
    Result<Parts> parts = Parts::make(graph_, {});
    EXPECT_TRUE(parts.ok());
    parts_.emplace(*std::move(parts));
  }

  /// Runs a part from stored tensors; every tensor in it must be the whole model's.
  graph::Graph check_part(const std::vector<std::string>& inputs, const std::vector<std::string>& outputs) {
    const Result<graph::Graph> part = parts_->between(inputs, outputs);
    EXPECT_TRUE(part.ok()) << part.error().message;
    EXPECT_TRUE(graph::verify(*part).ok());
    lower::CodeInputs codes;
    std::vector<Tensor> tensors;
    for (const std::string& name : inputs) {
      const Stored& stored = stored_.at(name);
      tensors.push_back(stored.tensor);
      if (stored.grid) codes.insert_or_assign(name, *stored.grid);
    }
    Result<lower::Program> program = lowered(GetParam(), *part, codes);
    EXPECT_TRUE(program.ok()) << program.error().message;
    const StoredTensors seen = run_all(*program, tensors);
    for (const std::string& name : outputs) EXPECT_TRUE(seen.contains(name)) << name;
    for (const auto& [name, stored] : seen) {
      EXPECT_TRUE(identical(stored.tensor, stored_.at(name).tensor)) << name << " behind " << inputs[0];
      EXPECT_EQ(stored.grid, stored_.at(name).grid) << name;
    }
    num_part_steps_ += program->steps.size();
    return *part;
  }

  graph::Graph graph_ = branching_graph();
  StoredTensors stored_;
  std::optional<Parts> parts_;
  std::size_t num_steps_ = 0;
  std::size_t num_part_steps_ = 0;
};

// Between any two nodes: from all tensors that are alive there to the end.
TEST_P(Parting, TheRestOfTheModelFromAnyPointOnIsTheSame) {
  for (std::size_t k = 1; k < graph_.nodes.size(); ++k) {
    std::set<graph::ValueId> alive;
    std::set<graph::ValueId> written;
    for (const graph::GraphInput& input : graph_.inputs) written.insert(input.value);
    for (std::size_t n = 0; n < k; ++n) written.insert(graph_.nodes[n].outputs.begin(), graph_.nodes[n].outputs.end());
    for (std::size_t n = k; n < graph_.nodes.size(); ++n) {
      for (const graph::ValueId id : graph_.nodes[n].inputs) {
        if (written.contains(id) && graph_.value(id).name != "x" && stored_.contains(graph_.value(id).name)) {
          alive.insert(id);
        }
      }
    }
    if (alive.empty()) continue;  // Only the input is.
    std::vector<std::string> inputs;
    for (const graph::ValueId id : alive) inputs.push_back(graph_.value(id).name);
    check_part(inputs, {"y"});
  }
}

// Layer by layer: each costs its own node, all together cost one model.
TEST_P(Parting, EveryNodeAloneIsTheSameAndCostsOneNode) {
  std::size_t num_nodes = 0;
  std::size_t num_parts = 0;
  for (const graph::Node& node : graph_.nodes) {
    std::vector<std::string> inputs;
    for (const graph::ValueId id : node.inputs) {
      const std::string& name = graph_.value(id).name;
      if (stored_.contains(name)) inputs.push_back(name);
    }
    const std::string& output = graph_.value(node.outputs[0]).name;
    if (!stored_.contains(output)) continue;  // Known before running.
    num_nodes += check_part(inputs, {output}).nodes.size();
    ++num_parts;
  }
  EXPECT_EQ(num_parts, graph_.nodes.size() - 3);  // Less the computed shape.
  EXPECT_EQ(num_nodes, num_parts);
  // A part has at most three steps about each tensor at its borders, however long the model is.
  EXPECT_LE(num_part_steps_, num_steps_ + 4 * num_parts);
}

// In fixed point Parts finds the grids by itself: the same bits from real numbers put onto them.
TEST_P(Parting, GridsOfInputsAreFound) {
  if (GetParam() != Kind::kFixed) return;
  const std::vector<std::string> names{"x", "a", "moved", "sums", "pooled", "island", "joined"};
  const Result<lower::CodeInputs> grids = parts_->code_grids(names, encodings(), {});
  ASSERT_TRUE(grids.ok()) << grids.error().message;
  for (const std::string& name : names) {
    const std::optional<Encoding>& grid = stored_.at(name).grid;
    ASSERT_EQ(grids->contains(name), grid.has_value()) << name;
    if (grid.has_value()) {
      EXPECT_EQ(grids->at(name), *grid) << name;
    }
  }
  EXPECT_EQ(grids->at("moved"), encodings().at("b").encoding);
  EXPECT_EQ(storage_bits(grids->at("sums").grid()), 32);
  EXPECT_FALSE(grids->contains("pooled"));  // Real: sums are not pooled.
}

INSTANTIATE_TEST_SUITE_P(AllKinds, Parting, testing::ValuesIn(kKinds), [](const auto& kind) {
  return kind.param == Kind::kFloat ? "float" : kind.param == Kind::kSimulated ? "simulated" : "fixed";
});

TEST(Parts, KnowTheirShapes) {
  const Result<Parts> parts = Parts::make(branching_graph(), {});
  ASSERT_TRUE(parts.ok());
  const std::vector<std::string> from{"joined"};
  const std::vector<std::string> to{"y"};
  const Result<graph::Graph> part = parts->between(from, to);
  ASSERT_TRUE(part.ok());
  EXPECT_EQ(graph::to_string(*part->inputs[0].declared.dims), "[1, 4, 3, 3]");
  EXPECT_EQ(part->nodes.size(), 1U);  // The shape that Reshape reads is a constant.
}

TEST(Parts, RefuseUnknownNamesAndTypesDecidedWhileRunning) {
  SmallGraph small;
  small.input("x", {4}).node("NonZero", {"x"}, {"places"}).node("Neg", {"places"}, {"y"}).output("y");
  const Result<Parts> parts = Parts::make(small.graph(), {});
  ASSERT_TRUE(parts.ok());
  const auto error_of = [&](const std::string& from, const std::string& to) {
    const Result<graph::Graph> part = parts->between({&from, 1}, {&to, 1});
    EXPECT_FALSE(part.ok());
    return part.ok() ? Error{} : part.error();
  };
  EXPECT_THAT(error_of("place", "y").message, HasSubstr("no tensor 'place', did you mean 'places'?"));
  EXPECT_EQ(error_of("x", "z").code, ErrorCode::kUsage);
  EXPECT_THAT(error_of("places", "y").message, HasSubstr("'places' is decided while running"));
  EXPECT_EQ(error_of("places", "y").code, ErrorCode::kUnsupported);
}

TEST(CodeInputs, MustNameFloatInputsThatTheirGridFits) {
  SmallGraph small;
  small.input("x", {1, 2}).node("Relu", {"x"}, {"y"}).output("y");
  const auto error_of = [&](const std::string& name, const Encoding& grid) {
    const Result<lower::Program> program = lower::fixed_program(small.graph(), {}, {}, {}, {{name, grid}});
    return program.ok() ? std::string() : program.error().message;
  };
  const Encoding plain = *Encoding::per_tensor({0, 255}, {0.5, 0});
  EXPECT_EQ(error_of("x", plain), "");
  EXPECT_THAT(error_of("y", plain), HasSubstr("'y', which is no input"));
  EXPECT_THAT(error_of("x", *Encoding::per_channel({0, 255}, 1, std::vector<QuantParams>(3, {0.5, 0}))),
              HasSubstr("input 'x'"));
}

}  // namespace
}  // namespace halfstep::exec
