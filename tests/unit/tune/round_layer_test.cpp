// Contract under test: tune/round_layer.hpp: the same rows in every layout give the same codes.
#include "tune/round_layer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace halfstep::tune {
namespace {

graph::Node linear_node(const std::string& type, std::int64_t groups = 1, bool transposed = false) {
  graph::Node node;
  node.op_type = type;
  node.inputs = {0, 1};
  node.outputs = {2};
  if (groups != 1) node.attributes.set("group", groups);
  if (transposed) node.attributes.set("transB", std::int64_t{1});
  return node;
}

Tensor random_weight(std::mt19937& rng, const Shape& shape) {
  Tensor weight(TensorType{DType::kFloat32, shape});
  std::normal_distribution<float> normal;
  for (std::int64_t i = 0; i < weight.num_elements(); ++i) weight.mutable_data<float>()[i] = normal(rng);
  return weight;
}

Eigen::MatrixXd moments_of(std::mt19937& rng, Eigen::Index k) {
  std::normal_distribution<double> normal;
  Eigen::MatrixXd mix(k, k);
  for (Eigen::Index i = 0; i < mix.size(); ++i) mix.data()[i] = normal(rng);
  return mix * mix.transpose();
}

template <class T>
Tensor transposed(const Tensor& matrix) {
  Tensor turned(TensorType{matrix.dtype(), {matrix.shape()[1], matrix.shape()[0]}});
  for (std::int64_t i = 0; i < matrix.shape()[0]; ++i) {
    for (std::int64_t j = 0; j < matrix.shape()[1]; ++j) {
      turned.mutable_data<T>()[j * matrix.shape()[0] + i] = matrix.data<T>()[i * matrix.shape()[1] + j];
    }
  }
  return turned;
}

TEST(RoundLayer, EveryLayoutOfTheSameRows) {
  std::mt19937 rng(3001);
  const std::vector<Eigen::MatrixXd> moments = {moments_of(rng, 18)};
  const Tensor rows = random_weight(rng, {3, 18});
  const std::vector<QuantParams> params(3, {0.03, 0});
  const Encoding by_row = *Encoding::per_channel(signed_grid(8), 0, params);
  const Encoding by_column = *Encoding::per_channel(signed_grid(8), 1, params);
  const auto gemm =
      round_layer({.node = linear_node("Gemm", 1, true), .weight = rows, .start = by_row, .moments = moments});
  ASSERT_TRUE(gemm.ok()) << gemm.error().message;
  EXPECT_LT(gemm->error_after, gemm->error_before);
  EXPECT_EQ(gemm->codes.type(), (TensorType{DType::kInt8, {3, 18}}));
  const auto conv = round_layer(
      {.node = linear_node("Conv"), .weight = rows.reshaped({3, 2, 3, 3}), .start = by_row, .moments = moments});
  ASSERT_TRUE(conv.ok());
  EXPECT_TRUE(identical(conv->codes.reshaped({3, 18}), gemm->codes));
  EXPECT_EQ(conv->encoding, gemm->encoding);
  for (const char* type : {"Gemm", "MatMul"}) {
    const Tensor columns = transposed<float>(rows);
    const auto turned =
        round_layer({.node = linear_node(type), .weight = columns, .start = by_column, .moments = moments});
    ASSERT_TRUE(turned.ok());
    EXPECT_TRUE(identical(transposed<std::int8_t>(turned->codes), gemm->codes)) << type;
    EXPECT_EQ(turned->encoding.params(), gemm->encoding.params());
    EXPECT_EQ(turned->encoding.axis(), 1);
  }
}

TEST(RoundLayer, DepthwiseByChannelIsEachChannelAlone) {
  std::mt19937 rng(3002);
  std::vector<Eigen::MatrixXd> moments;
  for (int c = 0; c < 4; ++c) moments.push_back(moments_of(rng, 9));
  const Tensor weight = random_weight(rng, {4, 1, 3, 3});
  const Encoding start = *Encoding::per_channel(signed_grid(4), 0, std::vector<QuantParams>(4, {0.3, 0}));
  const graph::Node node = linear_node("Conv", 4);
  const auto whole = round_layer({.node = node, .weight = weight, .start = start, .moments = moments});
  ASSERT_TRUE(whole.ok());
  for (std::int64_t c = 0; c < 4; ++c) {
    const auto index = static_cast<std::size_t>(c);
    const Tensor one = Tensor::of<float>({1, 1, 3, 3}, weight.values<float>().subspan(index * 9, 9));
    const Encoding grid = *Encoding::per_tensor(signed_grid(4), {0.3, 0});
    const auto alone = round_layer(
        {.node = linear_node("Conv"), .weight = one, .start = grid, .moments = std::span(moments).subspan(index, 1)});
    ASSERT_TRUE(alone.ok());
    EXPECT_EQ(alone->encoding.params()[0], whole->encoding.params()[index]);
    EXPECT_TRUE(std::ranges::equal(alone->codes.values<std::int8_t>(),
                                   whole->codes.values<std::int8_t>().subspan(index * 9, 9)));
  }
  const Encoding shared = *Encoding::per_tensor(signed_grid(4), {0.3, 0});
  const auto one_grid = round_layer({.node = node, .weight = weight, .start = shared, .moments = moments});
  ASSERT_TRUE(one_grid.ok());
  EXPECT_FALSE(one_grid->encoding.axis());
  EXPECT_LE(one_grid->error_after, one_grid->error_before);
}

TEST(RoundLayer, RefusesWhatDoesNotFit) {
  std::mt19937 rng(3003);
  const std::vector<Eigen::MatrixXd> moments = {moments_of(rng, 6)};
  const Tensor weight = random_weight(rng, {6, 2});
  const graph::Node gemm = linear_node("Gemm");
  const Encoding along_inputs = *Encoding::per_channel(signed_grid(8), 0, std::vector<QuantParams>(6, {0.1, 0}));
  EXPECT_EQ(round_layer({.node = gemm, .weight = weight, .start = along_inputs, .moments = moments}).error().code,
            ErrorCode::kUnsupported);
  const Encoding start = *Encoding::per_tensor(signed_grid(8), {0.1, 0});
  EXPECT_EQ(round_layer({.node = gemm, .weight = weight, .start = start, .moments = {}}).error().code,
            ErrorCode::kInvalidInput);
  const Tensor two = random_weight(rng, {2, 6, 2});
  EXPECT_EQ(
      round_layer({.node = linear_node("MatMul"), .weight = two, .start = start, .moments = moments}).error().code,
      ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace halfstep::tune
