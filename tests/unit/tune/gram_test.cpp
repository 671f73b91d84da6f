// Contract under test: tune/gram.hpp: against loops over windows that share no code, over random geometries and grids.
#include "tune/gram.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "encoding/encoding_set.hpp"

namespace halfstep::tune {
namespace {

using Ints = std::vector<std::int64_t>;

struct ConvCase {
  std::int64_t channels = 1, groups = 1, height = 1, width = 1;
  std::array<std::int64_t, 2> kernel = {1, 1}, stride = {1, 1}, dilation = {1, 1};
  std::array<std::int64_t, 4> pads = {0, 0, 0, 0};
  std::int64_t batch = 1;

  graph::Node node() const {
    graph::Node made;
    made.op_type = "Conv";
    made.inputs = {0, 1};
    made.outputs = {2};
    made.attributes.set("group", groups);
    made.attributes.set("strides", Ints(stride.begin(), stride.end()));
    made.attributes.set("dilations", Ints(dilation.begin(), dilation.end()));
    made.attributes.set("pads", Ints(pads.begin(), pads.end()));
    return made;
  }
  Shape input() const { return {batch, channels, height, width}; }
  Shape weight() const { return {groups, channels / groups, kernel[0], kernel[1]}; }
};

graph::Node matrix_node(const std::string& type) {
  graph::Node node;
  node.op_type = type;
  node.inputs = {0, 1};
  node.outputs = {2};
  return node;
}

Tensor random_codes(std::mt19937& rng, const Shape& shape, IntGrid grid) {
  Tensor codes(TensorType{storage_dtype(grid), shape});
  std::uniform_int_distribution<std::int32_t> any(grid.q_min, grid.q_max);
  visit_dtype(codes.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < codes.num_elements(); ++i) codes.mutable_data<T>()[i] = static_cast<T>(any(rng));
  });
  return codes;
}

using Vectors = std::vector<Eigen::VectorXd>;

// The windows of one group in real numbers, position by position.
Vectors windows_of(const ConvCase& c, const Tensor& codes, const Encoding& grid, std::int64_t group) {
  const Tensor real = dequantize(codes, grid);
  const float* x = real.data<float>();
  const auto extent = [&](std::size_t a, std::int64_t in) {
    return (in + c.pads[a] + c.pads[a + 2] - (c.kernel[a] - 1) * c.dilation[a] - 1) / c.stride[a] + 1;
  };
  const std::int64_t group_in = c.channels / c.groups;
  Vectors windows;
  for (std::int64_t n = 0; n < c.batch; ++n) {
    for (std::int64_t oy = 0; oy < extent(0, c.height); ++oy) {
      for (std::int64_t ox = 0; ox < extent(1, c.width); ++ox) {
        Eigen::VectorXd window = Eigen::VectorXd::Zero(group_in * c.kernel[0] * c.kernel[1]);
        for (std::int64_t k = 0; k < window.size(); ++k) {
          const std::int64_t channel = k / (c.kernel[0] * c.kernel[1]);
          const std::int64_t y = oy * c.stride[0] + k / c.kernel[1] % c.kernel[0] * c.dilation[0] - c.pads[0];
          const std::int64_t col = ox * c.stride[1] + k % c.kernel[1] * c.dilation[1] - c.pads[1];
          if (y < 0 || y >= c.height || col < 0 || col >= c.width) continue;
          const std::int64_t plane = n * c.channels + group * group_in + channel;
          window[k] = static_cast<double>(x[(plane * c.height + y) * c.width + col]);
        }
        windows.push_back(window);
      }
    }
  }
  return windows;
}

void expect_moments(const Gram& gram, std::size_t group, const Vectors& vectors, double tolerance = 1e-5) {
  const Eigen::Index k = vectors[0].size();
  Eigen::VectorXd mean = Eigen::VectorXd::Zero(k);
  for (const Eigen::VectorXd& v : vectors) mean += v / static_cast<double>(vectors.size());
  Eigen::MatrixXd moments = Eigen::MatrixXd::Zero(k, k);
  for (const Eigen::VectorXd& v : vectors) moments += (v - mean) * (v - mean).transpose();
  EXPECT_EQ(gram.positions, static_cast<std::int64_t>(vectors.size()));
  EXPECT_LT((gram.means[group] - mean).norm(), tolerance * (1.0 + mean.norm()));
  EXPECT_LT((gram.moments[group] - moments).norm(), tolerance * (1e-9 + moments.norm()));
  EXPECT_EQ(gram.moments[group], gram.moments[group].transpose());
}

void expect_same(const Gram& a, const Gram& b) {
  EXPECT_EQ(a.positions, b.positions);
  ASSERT_EQ(a.moments.size(), b.moments.size());
  for (std::size_t g = 0; g < a.moments.size(); ++g) {
    EXPECT_EQ(a.moments[g], b.moments[g]);
    EXPECT_EQ(a.means[g], b.means[g]);
  }
}

std::int64_t pick(std::mt19937& rng, std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(rng);
}

ConvCase random_case(std::mt19937& rng) {
  ConvCase c;
  c.groups = pick(rng, 1, 3);
  c.channels = c.groups * pick(rng, 1, 4);
  c.batch = pick(rng, 1, 2);
  for (std::size_t a = 0; a < 2; ++a) {
    c.kernel[a] = pick(rng, 1, 3);
    c.stride[a] = pick(rng, 1, 2);
    c.dilation[a] = pick(rng, 1, 2);
    c.pads[a] = pick(rng, 0, 2);
    c.pads[a + 2] = pick(rng, 0, 2);
  }
  c.height = pick(rng, 5, 24);
  c.width = pick(rng, 5, 24);
  return c;
}

Encoding random_grid(std::mt19937& rng, IntGrid grid, std::int64_t channels) {
  std::vector<QuantParams> params;
  for (std::int64_t c = 0; c < channels; ++c) {
    params.push_back(
        {0.01 * static_cast<double>(pick(rng, 1, 9)), static_cast<std::int32_t>(pick(rng, grid.q_min, grid.q_max))});
  }
  return *(channels == 1 ? Encoding::per_tensor(grid, params[0]) : Encoding::per_channel(grid, 1, params));
}

TEST(Gram, WindowsOfAnyConvolution) {
  std::mt19937 rng(2001);
  for (int round = 0; round < 40; ++round) {
    const ConvCase c = random_case(rng);
    const IntGrid bounds = round % 3 == 0 ? signed_grid(8) : unsigned_grid(8);
    const Encoding grid = random_grid(rng, bounds, round % 2 == 0 ? 1 : c.channels);
    auto gram = GramAccumulator::make(c.node(), c.input(), c.weight(), grid);
    ASSERT_TRUE(gram.ok()) << gram.error().message;
    auto other = gram;
    auto all = gram;
    std::vector<Vectors> vectors(static_cast<std::size_t>(c.groups));
    for (std::int64_t sample = 0; sample < 3; ++sample) {
      const Tensor codes = random_codes(rng, c.input(), bounds);
      ASSERT_TRUE((sample == 1 ? other : gram)->add(codes.view(), sample).ok());
      ASSERT_TRUE(all->add(codes.view(), sample).ok());
      for (std::int64_t g = 0; g < c.groups; ++g) {
        const Vectors more = windows_of(c, codes, grid, g);
        auto& so_far = vectors[static_cast<std::size_t>(g)];
        so_far.insert(so_far.end(), more.begin(), more.end());
      }
    }
    gram->merge(*std::move(other));
    const Gram sums = gram->finish();
    for (std::size_t g = 0; g < vectors.size(); ++g) expect_moments(sums, g, vectors[g]);
    expect_same(sums, all->finish());
  }
}

// More inputs than a block of products has columns, more positions than wait at a time.
TEST(Gram, ManyInputsAndPositions) {
  std::mt19937 rng(2002);
  const ConvCase c{.channels = 11, .height = 65, .width = 65, .kernel = {3, 3}, .pads = {1, 1, 1, 1}};
  const Encoding grid = random_grid(rng, unsigned_grid(8), 1);
  auto gram = GramAccumulator::make(c.node(), c.input(), c.weight(), grid);
  ASSERT_TRUE(gram.ok());
  const Tensor codes = random_codes(rng, c.input(), unsigned_grid(8));
  ASSERT_TRUE(gram->add(codes.view(), 0).ok());
  expect_moments(gram->finish(), 0, windows_of(c, codes, grid, 0));
}

TEST(Gram, ThinnedPositionsAreSomeOfAllAndDependOnTheSample) {
  std::mt19937 rng(2003);
  const ConvCase c{.channels = 2, .height = 20, .width = 20};
  const Encoding grid = random_grid(rng, unsigned_grid(8), 1);
  const Tensor codes = random_codes(rng, c.input(), unsigned_grid(8));
  const Vectors windows = windows_of(c, codes, grid, 0);
  std::vector<double> traces;
  for (std::int64_t sample = 0; sample < 8; ++sample) {
    auto gram = GramAccumulator::make(c.node(), c.input(), c.weight(), grid, 50);
    ASSERT_TRUE(gram->add(codes.view(), sample).ok());
    const Gram thinned = gram->finish();
    bool found = false;
    for (std::size_t first = 0; first < 9 && !found; ++first) {  // 400 / 50, made odd.
      Vectors some;
      for (std::size_t at = first; at < windows.size(); at += 9) some.push_back(windows[at]);
      Eigen::VectorXd mean = Eigen::VectorXd::Zero(2);
      for (const Eigen::VectorXd& v : some) mean += v / static_cast<double>(some.size());
      found = thinned.positions == static_cast<std::int64_t>(some.size()) && (thinned.means[0] - mean).norm() < 1e-6;
      if (found) expect_moments(thinned, 0, some);
    }
    EXPECT_TRUE(found) << sample;
    traces.push_back(thinned.moments[0].trace());
  }
  EXPECT_NE(traces[0], traces[1]);
}

// The same windows as those of a convolution over two axes, whose loops are checked above.
TEST(Gram, OneAndThreeSpatialAxes) {
  std::mt19937 rng(2007);
  const Encoding grid = random_grid(rng, unsigned_grid(8), 1);
  const auto moments = [&](const Tensor& codes, const Shape& weight, const Ints& strides) {
    graph::Node node = matrix_node("Conv");
    node.attributes.set("strides", strides);
    auto gram = GramAccumulator::make(node, codes.shape(), weight, grid);
    EXPECT_TRUE(gram->add(codes.view(), 0).ok());
    return gram->finish();
  };
  const Tensor line = random_codes(rng, {2, 3, 30}, unsigned_grid(8));
  expect_same(moments(line, {1, 3, 4}, {2}), moments(line.reshaped({2, 3, 1, 30}), {1, 3, 1, 4}, {1, 2}));
  // [depth, height, width] with a kernel that is 1 wide: each place along the width is an image of its own.
  const Tensor volume = random_codes(rng, {1, 1, 6, 7, 5}, unsigned_grid(8));
  Tensor images(TensorType{DType::kUint8, {5, 1, 6, 7}});
  for (std::int64_t i = 0; i < volume.num_elements(); ++i) {
    images.mutable_data<std::uint8_t>()[i % 5 * 42 + i / 5] = volume.data<std::uint8_t>()[i];
  }
  expect_same(moments(volume, {1, 1, 2, 3, 1}, {2, 1, 1}), moments(images, {1, 1, 2, 3}, {2, 1}));
}

TEST(Gram, CodesOfSixteenBitsAreRoundedToTheirHighOnes) {
  std::mt19937 rng(2004);
  for (const IntGrid bounds : {unsigned_grid(16), signed_grid(16)}) {
    const ConvCase c{.channels = 3, .height = 30, .width = 30, .kernel = {3, 3}, .pads = {1, 1, 1, 1}};
    const Encoding grid = *Encoding::per_tensor(bounds, {0.001, (bounds.q_min + bounds.q_max) / 2 + 77});
    auto gram = GramAccumulator::make(c.node(), c.input(), c.weight(), grid);
    const Tensor codes = random_codes(rng, c.input(), bounds);
    ASSERT_TRUE(gram->add(codes.view(), 0).ok());
    expect_moments(gram->finish(), 0, windows_of(c, codes, grid, 0), 0.005);
  }
}

TEST(Gram, RowsOfMatrices) {
  std::mt19937 rng(2005);
  const Encoding grid = random_grid(rng, signed_grid(8), 1);
  for (const bool transposed : {false, true}) {
    graph::Node gemm = matrix_node("Gemm");
    gemm.attributes.set("transA", std::int64_t{transposed ? 1 : 0});
    const Shape shape = transposed ? Shape{5, 40} : Shape{40, 5};
    const Tensor codes = random_codes(rng, shape, signed_grid(8));
    const Tensor real = dequantize(codes, grid);
    Vectors rows(40, Eigen::VectorXd(5));
    for (std::int64_t p = 0; p < 40; ++p) {
      for (std::int64_t k = 0; k < 5; ++k) {
        rows[static_cast<std::size_t>(p)][k] =
            static_cast<double>(real.data<float>()[transposed ? k * 40 + p : p * 5 + k]);
      }
    }
    auto gram = GramAccumulator::make(gemm, shape, {5, 7}, grid);
    ASSERT_TRUE(gram.ok()) << gram.error().message;
    ASSERT_TRUE(gram->add(codes.view(), 0).ok());
    expect_moments(gram->finish(), 0, rows);
    if (transposed) continue;
    const Tensor batched = codes.reshaped({2, 20, 5});
    auto product = GramAccumulator::make(matrix_node("MatMul"), batched.shape(), {5, 7}, grid);
    ASSERT_TRUE(product.ok());
    ASSERT_TRUE(product->add(batched.view(), 0).ok());
    expect_moments(product->finish(), 0, rows);
  }
}

TEST(Gram, MatricesWithAGridForEachColumn) {
  std::mt19937 rng(2006);
  const Encoding grid = random_grid(rng, unsigned_grid(8), 6);
  const Tensor codes = random_codes(rng, {30, 6}, unsigned_grid(8));
  const Tensor real = dequantize(codes, grid);
  Vectors rows;
  for (std::int64_t p = 0; p < 30; ++p) {
    rows.push_back(Eigen::Map<const Eigen::VectorXf>(real.data<float>() + p * 6, 6).cast<double>());
  }
  auto gram = GramAccumulator::make(matrix_node("Gemm"), {30, 6}, {6, 2}, grid);
  ASSERT_TRUE(gram.ok());
  ASSERT_TRUE(gram->add(codes.view(), 0).ok());
  expect_moments(gram->finish(), 0, rows);
}

TEST(Gram, RefusesWithAReason) {
  const Encoding grid = *Encoding::per_tensor(unsigned_grid(8), {0.1, 0});
  const auto error = [&](const graph::Node& node, const Shape& input, const Shape& weight, const Encoding& encoding) {
    return GramAccumulator::make(node, input, weight, encoding).error();
  };
  EXPECT_EQ(error(matrix_node("Relu"), {1, 4}, {4, 4}, grid).code, ErrorCode::kUnsupported);
  EXPECT_EQ(error(matrix_node("ConvTranspose"), {1, 4, 8, 8}, {4, 4, 3, 3}, grid).code, ErrorCode::kUnsupported);
  EXPECT_EQ(error(matrix_node("MatMul"), {2, 3, 4}, {2, 4, 5}, grid).code, ErrorCode::kUnsupported);
  EXPECT_EQ(error(matrix_node("Gemm"), {1, kMaxGramOrder + 1}, {kMaxGramOrder + 1, 4}, grid).code,
            ErrorCode::kUnsupported);
  EXPECT_EQ(error(matrix_node("Gemm"), {1, 3}, {4, 4}, grid).code, ErrorCode::kInvalidInput);
  const Encoding rows = *Encoding::per_channel(unsigned_grid(8), 0, {{0.1, 0}, {0.2, 0}});
  EXPECT_EQ(error(matrix_node("Gemm"), {2, 4}, {4, 4}, rows).code, ErrorCode::kUnsupported);
  auto gram = GramAccumulator::make(matrix_node("Gemm"), {2, 4}, {4, 4}, grid);
  ASSERT_TRUE(gram.ok());
  EXPECT_EQ(gram->add(Tensor::of<std::int8_t>({1, 4}, {1, 2, 3, 4}).view(), 0).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(gram->add(Tensor(TensorType{DType::kUint8, {1, 5}}).view(), 0).error().code, ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace halfstep::tune
