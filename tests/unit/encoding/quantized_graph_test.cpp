// quantized_graph_test.cpp: constants, codes and provenance change together.
#include "encoding/quantized_graph.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace halfstep {
namespace {

/// Constant w = {1, -2} on steps of 0.5.
QuantizedGraph with_weight() {
  QuantizedGraph model;
  model.graph.values.push_back({.name = "w", .constant = Tensor::of<float>({2}, {1.0F, -2.0F})});
  TensorEncoding entry{.encoding = *Encoding::per_tensor({-127, 127}, {0.5, 0}),
                       .role = TensorRole::kWeight,
                       .provenance = {Origin::kWeights, "mse"},
                       .codes = Tensor::of<std::int8_t>({2}, {2, -4})};
  model.encodings.emplace("w", entry);
  return model;
}

TEST(QuantizedGraph, AChangedConstantHasNewCodesAndSaysWhy) {
  QuantizedGraph model = with_weight();
  ASSERT_TRUE(change_constant(model, 0, Tensor::of<float>({2}, {3.0F, 0.75F}), "equalized").ok());
  ASSERT_TRUE(change_constant(model, 0, Tensor::of<float>({2}, {3.5F, 0.75F}), "bias corrected").ok());
  const TensorEncoding& entry = model.encodings.at("w");
  EXPECT_TRUE(identical(*entry.codes, Tensor::of<std::int8_t>({2}, {7, 2})));  // 0.75 / 0.5 = 1.5, to even.
  EXPECT_EQ(to_string(entry.provenance), "from its values (mse), equalized, bias corrected");
}

TEST(QuantizedGraph, ARepeatedChangeIsSaidOnce) {
  QuantizedGraph model = with_weight();
  const Encoding finer = *Encoding::per_tensor({-127, 127}, {0.25, 0});
  ASSERT_TRUE(change_encoding(model, 0, finer, "rounded").ok());
  ASSERT_TRUE(change_constant(model, 0, Tensor::of<float>({2}, {3.0F, 0.75F}), "rounded").ok());
  ASSERT_TRUE(change_constant(model, 0, Tensor::of<float>({2}, {2.0F, 0.75F}), "bias corrected").ok());
  ASSERT_TRUE(change_constant(model, 0, Tensor::of<float>({2}, {1.0F, 0.75F}), "rounded").ok());
  EXPECT_EQ(to_string(model.encodings.at("w").provenance), "from its values (mse), rounded, bias corrected, rounded");
  EXPECT_TRUE(identical(*model.encodings.at("w").codes, Tensor::of<std::int8_t>({2}, {4, 3})));
}

TEST(QuantizedGraph, ANewGridHasNewCodes) {
  QuantizedGraph model = with_weight();
  const Encoding channels = *Encoding::per_channel({-127, 127}, 0, {{0.25, 0}, {0.5, 0}});
  ASSERT_TRUE(change_encoding(model, 0, channels, "scale raised").ok());
  EXPECT_TRUE(identical(*model.encodings.at("w").codes, Tensor::of<std::int8_t>({2}, {4, -4})));
  const Encoding wrong = *Encoding::per_channel({-127, 127}, 0, {{0.25, 0}});
  EXPECT_EQ(change_encoding(model, 0, wrong, "no").error().message,
            "encoding of 'w': the encoding has 1 channels, axis 0 of [2] has 2");
}

TEST(QuantizedGraph, ValuesThatAreNotFiniteChangeNothing) {
  QuantizedGraph model = with_weight();
  const Tensor infinite = Tensor::of<float>({2}, {1.0F, std::numeric_limits<float>::infinity()});
  EXPECT_EQ(change_constant(model, 0, infinite, "equalized").error().message,
            "constant 'w', equalized, would hold an infinity at element 1");
  EXPECT_TRUE(identical(*model.graph.values[0].constant, Tensor::of<float>({2}, {1.0F, -2.0F})));
  EXPECT_EQ(to_string(model.encodings.at("w").provenance), "from its values (mse)");
}

}  // namespace
}  // namespace halfstep
