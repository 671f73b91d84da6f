// Contract under test: passes/import_matmul_nbits.hpp, by way of import_qdq().
#include "passes/import_matmul_nbits.hpp"

#include "passes/import_qdq.hpp"
#include "unit/passes/pass_support.hpp"

namespace halfstep::passes {
namespace {

/// Two outputs of 17 inputs in blocks of 16; code i of output n is (i + n) % 16.
Model packed_product(const std::vector<ValueId>& more, bool with_zero_points) {
  Model m;
  Tensor packed(TensorType{DType::kUint8, Shape{2, 2, 8}});
  for (std::int64_t n = 0; n < 2; ++n) {
    for (std::int64_t k = 0; k < 17; ++k) {
      packed.mutable_data<std::uint8_t>()[n * 16 + k / 2] |= static_cast<std::uint8_t>((k + n) % 16 << (k % 2 * 4));
    }
  }
  std::vector<ValueId> inputs{m.input("x", {-1, 17}), m.constant("w_Q4", packed),
                              m.constant("s", Tensor::of<float>({4}, {1, 2, 3, 4}))};
  if (with_zero_points) inputs.push_back(m.constant("z", Tensor::of<std::uint8_t>({2}, {0x10, 0x32})));
  inputs.insert(inputs.end(), more.begin(), more.end());
  m.output(m.node(
      "MatMulNBits", inputs, "y",
      {{"K", std::int64_t{17}}, {"N", std::int64_t{2}}, {"bits", std::int64_t{4}}, {"block_size", std::int64_t{16}}}));
  m.graph.nodes.back().domain = "com.microsoft";
  return m;
}

TEST(ImportMatMulNBits, BecomesAMatMulWithBlocks) {
  const Result<ImportedQdq> result = import_qdq(packed_product({}, true).graph);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(operators(result->graph), "MatMul");
  const TensorEncoding& weight = result->encodings.at("w");
  EXPECT_EQ(weight.encoding, *Encoding::per_block(unsigned_grid(4), 0, 16, {{1, 0}, {3, 2}, {2, 1}, {4, 3}}));
  EXPECT_TRUE(weight.frozen);
  ASSERT_EQ(weight.codes->shape(), (Shape{17, 2}));
  const Tensor* real = graph::constant_of(result->graph, graph::find_value(result->graph, "w"));
  EXPECT_EQ(real->data<float>()[2 * 5], 5.0F);        // Output 0: (5 - 0) * 1.
  EXPECT_EQ(real->data<float>()[2 * 5 + 1], 12.0F);   // Output 1: (6 - 2) * 3.
  EXPECT_EQ(real->data<float>()[2 * 16 + 1], -8.0F);  // Second block: (1 - 3) * 4.
}

TEST(ImportMatMulNBits, ZeroPointsAreTheMiddleIfAbsent) {
  const Result<ImportedQdq> result = import_qdq(packed_product({}, false).graph);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->encodings.at("w").encoding.params()[0], (QuantParams{1, 8}));
}

}  // namespace
}  // namespace halfstep::passes
