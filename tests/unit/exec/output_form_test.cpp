// Contract under test: OutputForm of lower/lower.hpp, run by exec/executor.hpp.
#include <gtest/gtest.h>

#include "exec/executor.hpp"
#include "lower/lower.hpp"
#include "unit/exec/small_graph.hpp"

namespace halfstep::exec {
namespace {

TensorEncoding coded(IntGrid grid, double scale, std::int32_t zero_point, TensorRole role = TensorRole::kActivation) {
  return {*Encoding::per_tensor(grid, {scale, zero_point}), role, {}, {}, false};
}

/// Of an output: what the slot says, and what ran.
struct LeftAs {
  Tensor tensor;
  std::optional<Encoding> grid;
};

std::vector<LeftAs> outputs_of(const SmallGraph& small, const EncodingSet& encodings, lower::OutputForm form) {
  std::vector<LeftAs> outputs;
  Result<lower::Program> program = lower::fixed_program(small.graph(), {}, encodings, {}, {}, form);
  EXPECT_TRUE(program.ok()) << (program.ok() ? "" : program.error().message);
  if (!program.ok()) return outputs;
  const auto shared = std::make_shared<const lower::Program>(*std::move(program));
  Executor executor(shared);
  const Tensor x = Tensor::of<float>({2, 2}, {0.5F, -1.0F, 2.0F, 0.25F});
  EXPECT_TRUE(executor.run({&x, 1}).ok());
  for (std::size_t i = 0; i < shared->outputs.size(); ++i) {
    LeftAs& left = outputs.emplace_back(LeftAs{Tensor::copy_of(executor.output(i)), {}});
    const auto& slot = shared->slots[static_cast<std::size_t>(shared->outputs[i])];
    if (slot.encoding != nullptr) left.grid = *slot.encoding;
  }
  return outputs;
}

/// Outputs: a layer's, one moved from it, the graph's input, a float island's, an accumulator, integers, a constant.
SmallGraph every_output() {
  SmallGraph small;
  small.input("x", {2, 2})
      .constant("w", Tensor::of<float>({2, 2}, {1.0F, -0.5F, 0.25F, 2.0F}))
      .node("MatMul", {"x", "w"}, {"a"})
      .node("Transpose", {"a"}, {"moved"})
      .node("Erf", {"a"}, {"island"})
      .node("MatMul", {"x", "w2"}, {"sums"})
      .constant("w2", Tensor::of<float>({2, 1}, {1.0F, 3.0F}))
      .node("Shape", {"a"}, {"extents"})
      .node("Identity", {"w2"}, {"known"});
  for (const char* name : {"a", "moved", "x", "island", "sums", "extents", "known"}) small.output(name);
  for (graph::Node& node : small.graph().nodes) {
    if (node.op_type == "Transpose") node.attributes.set("perm", std::vector<std::int64_t>{1, 0});
  }
  return small;
}

EncodingSet some_encodings() {
  return {{"x", coded({0, 255}, 0.02, 100)},
          {"w", coded({-127, 127}, 0.02, 0, TensorRole::kWeight)},
          {"w2", coded({-127, 127}, 0.03, 0, TensorRole::kWeight)},
          {"a", coded({0, 255}, 0.05, 128)}};
}

TEST(OutputForm, CodesAreLeftWhereTheyExist) {
  const SmallGraph small = every_output();
  const EncodingSet encodings = some_encodings();
  const std::vector<LeftAs> real = outputs_of(small, encodings, lower::OutputForm::kReal);
  const std::vector<LeftAs> codes = outputs_of(small, encodings, lower::OutputForm::kCodes);
  ASSERT_EQ(real.size(), 7U);
  ASSERT_EQ(codes.size(), 7U);
  for (const LeftAs& output : real) EXPECT_EQ(output.grid, std::nullopt);
  EXPECT_EQ(codes[0].grid, encodings.at("a").encoding);
  EXPECT_EQ(codes[1].grid, encodings.at("a").encoding);  // Moved on the grid of what it moves.
  EXPECT_EQ(codes[2].grid, encodings.at("x").encoding);
  EXPECT_EQ(codes[3].grid, std::nullopt);
  ASSERT_TRUE(codes[4].grid.has_value());
  EXPECT_EQ(codes[4].tensor.dtype(), DType::kInt32);  // An accumulator.
  EXPECT_EQ(codes[5].grid, std::nullopt);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    SCOPED_TRACE(i);
    const Tensor stands_for = codes[i].grid ? dequantize(codes[i].tensor, *codes[i].grid) : codes[i].tensor;
    EXPECT_TRUE(identical(stands_for, real[i].tensor));
  }
}

TEST(OutputForm, WithoutEncodingsBothAreReal) {
  const SmallGraph small = every_output();
  const std::vector<LeftAs> real = outputs_of(small, {}, lower::OutputForm::kReal);
  const std::vector<LeftAs> codes = outputs_of(small, {}, lower::OutputForm::kCodes);
  ASSERT_EQ(real.size(), codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    EXPECT_EQ(codes[i].grid, std::nullopt);
    EXPECT_TRUE(identical(codes[i].tensor, real[i].tensor));
  }
}

// One tensor may be an output several times, and read by others in either form.
TEST(OutputForm, OutputsMayRepeat) {
  SmallGraph small = every_output();
  small.output("a").output("x");
  const std::vector<LeftAs> codes = outputs_of(small, some_encodings(), lower::OutputForm::kCodes);
  ASSERT_EQ(codes.size(), 9U);
  EXPECT_TRUE(identical(codes[7].tensor, codes[0].tensor));
  EXPECT_TRUE(identical(codes[8].tensor, codes[2].tensor));
}

}  // namespace
}  // namespace halfstep::exec
