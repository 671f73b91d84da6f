// conv_test.cpp: Conv and ConvTranspose against plain loops, and what they refuse.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "conv_run_node.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::ops {
namespace {

using conv_testing::error_of;
using conv_testing::expect_near;
using conv_testing::Ints;
using conv_testing::make_node;
using conv_testing::random_tensor;
using conv_testing::run_node;
using conv_testing::set_windows;

// A drawn problem; per axis values in the order of the attributes.
struct Problem {
  int num_axes = 2;
  std::int64_t batch = 1, groups = 1, group_in = 1, group_out = 1;
  Ints in, kernel, stride, dilation, pad_begin, pad_end, output_padding;
  Tensor x, w, b;
  bool has_bias = false;
  graph::Node node;

  std::string describe() const {
    std::string text = "axes " + std::to_string(num_axes) + " groups " + std::to_string(groups) + " x " +
                       to_string(x.shape()) + " w " + to_string(w.shape());
    for (const auto& [name, values] : std::vector<std::pair<std::string, Ints>>{
             {"stride", stride}, {"dilation", dilation}, {"pad", pad_begin}, {"pad_end", pad_end}}) {
      text += " " + name + " " + to_string(Shape(values));
    }
    return text;
  }

  std::vector<Tensor> operands() const { return has_bias ? std::vector<Tensor>{x, w, b} : std::vector<Tensor>{x, w}; }
};

std::int64_t draw(std::mt19937& rng, std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(rng);
}

Problem draw_problem(std::mt19937& rng, bool transpose) {
  Problem p;
  p.num_axes = static_cast<int>(draw(rng, 1, 3));
  p.batch = draw(rng, 1, 2);
  p.groups = draw(rng, 0, 1) == 0 ? 1 : draw(rng, 2, 4);
  p.group_in = draw(rng, 1, 4);
  p.group_out = draw(rng, 1, 4);
  const bool pointwise = draw(rng, 0, 4) == 0;
  Shape x{p.batch, p.groups * p.group_in};
  Shape w = transpose ? Shape{p.groups * p.group_in, p.group_out} : Shape{p.groups * p.group_out, p.group_in};
  for (int i = 0; i < p.num_axes; ++i) {
    p.kernel.push_back(pointwise ? 1 : draw(rng, 1, 4));
    p.stride.push_back(pointwise ? 1 : draw(rng, 1, 3));
    p.dilation.push_back(pointwise ? 1 : draw(rng, 1, 3));
    p.pad_begin.push_back(pointwise ? 0 : draw(rng, 0, 2));
    p.pad_end.push_back(pointwise ? 0 : draw(rng, 0, 2));
    p.output_padding.push_back(transpose && p.stride.back() > 1 ? draw(rng, 0, p.stride.back() - 1) : 0);
    p.in.push_back(draw(rng, 1, p.num_axes == 3 ? 6 : 13));
    x.push_back(p.in.back());
    w.push_back(p.kernel.back());
  }
  p.x = random_tensor(rng, x);
  p.w = random_tensor(rng, w);
  p.b = random_tensor(rng, Shape{p.groups * p.group_out});
  p.has_bias = draw(rng, 0, 1) == 0;
  p.node = make_node(transpose ? "ConvTranspose" : "Conv", p.has_bias ? 3 : 2);
  set_windows(p.node, p.stride, p.dilation, p.pad_begin, p.pad_end, p.groups);
  if (transpose) p.node.attributes.set("output_padding", p.output_padding);
  if (draw(rng, 0, 1) == 0) p.node.attributes.set("kernel_shape", p.kernel);
  if (draw(rng, 0, 2) == 0) p.node.clamp = graph::FusedClamp{-0.5F, 1.0F, "relu", "pre"};
  return p;
}

// Calls f with every index below `extents`.
template <class F>
void for_each_index(const Ints& extents, F&& f) {
  Ints index(extents.size(), 0);
  for (const std::int64_t extent : extents) {
    if (extent == 0) return;
  }
  while (true) {
    f(index);
    std::size_t axis = extents.size();
    while (axis > 0 && ++index[axis - 1] == extents[axis - 1]) index[--axis] = 0;
    if (axis == 0) return;
  }
}

std::int64_t flat(const Ints& extents, const Ints& index) {
  std::int64_t at = 0;
  for (std::size_t i = 0; i < extents.size(); ++i) at = at * extents[i] + index[i];
  return at;
}

std::int64_t product(const Ints& values) {
  std::int64_t result = 1;
  for (const std::int64_t value : values) result *= value;
  return result;
}

// Every pair (input position, kernel position) and the output position it
// meets: the definition both operators share, with the roles swapped.
std::vector<double> plain(const Problem& p, const Ints& out, bool transpose) {
  const std::int64_t in_size = product(p.in);
  const std::int64_t out_size = product(out);
  const std::int64_t kernel_size = product(p.kernel);
  const std::int64_t out_channels = p.groups * p.group_out;
  std::vector<double> y(static_cast<std::size_t>(p.batch * out_channels * out_size), 0.0);
  const Ints& small = transpose ? p.in : out;
  const Ints& large = transpose ? out : p.in;
  for_each_index(small, [&](const Ints& step) {
    for_each_index(p.kernel, [&](const Ints& tap) {
      Ints place(step.size());
      for (std::size_t i = 0; i < step.size(); ++i) {
        place[i] = step[i] * p.stride[i] + tap[i] * p.dilation[i] - p.pad_begin[i];
        if (place[i] < 0 || place[i] >= large[i]) return;
      }
      const std::int64_t x_at = transpose ? flat(small, step) : flat(large, place);
      const std::int64_t y_at = transpose ? flat(large, place) : flat(small, step);
      const std::int64_t k_at = flat(p.kernel, tap);
      for (std::int64_t n = 0; n < p.batch; ++n) {
        for (std::int64_t g = 0; g < p.groups; ++g) {
          for (std::int64_t o = 0; o < p.group_out; ++o) {
            for (std::int64_t c = 0; c < p.group_in; ++c) {
              const std::int64_t w_row =
                  transpose ? (g * p.group_in + c) * p.group_out + o : (g * p.group_out + o) * p.group_in + c;
              const double x = p.x.data<float>()[(n * p.groups * p.group_in + g * p.group_in + c) * in_size + x_at];
              const double w = p.w.data<float>()[w_row * kernel_size + k_at];
              y[static_cast<std::size_t>((n * out_channels + g * p.group_out + o) * out_size + y_at)] += x * w;
            }
          }
        }
      }
    });
  });
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto channel = static_cast<std::int64_t>(i) / out_size % out_channels;
    if (p.has_bias) y[i] += p.b.data<float>()[channel];
    if (p.node.clamp.has_value()) y[i] = std::clamp(y[i], double{p.node.clamp->min}, double{p.node.clamp->max});
  }
  return y;
}

Shape output_shape(const Problem& p, const Ints& out) {
  Shape shape{p.batch, p.groups * p.group_out};
  for (const std::int64_t extent : out) shape.push_back(extent);
  return shape;
}

TEST(Conv, RandomGeometriesMatchPlainLoops) {
  std::mt19937 rng(4242);
  int num_tried = 0;
  while (num_tried < 400) {
    const Problem p = draw_problem(rng, false);
    Ints out;
    for (std::size_t i = 0; i < p.in.size(); ++i) {
      const std::int64_t room = p.in[i] + p.pad_begin[i] + p.pad_end[i] - (p.kernel[i] - 1) * p.dilation[i] - 1;
      out.push_back(room < 0 ? -1 : room / p.stride[i] + 1);
    }
    const Result<Tensor> y = run_node(p.node, p.operands());
    if (std::count(out.begin(), out.end(), -1) > 0) {
      ASSERT_FALSE(y.ok()) << p.describe();
      continue;
    }
    ASSERT_TRUE(y.ok()) << p.describe() << ": " << y.error().message;
    expect_near(*y, output_shape(p, out), plain(p, out, false), p.describe());
    if (testing::Test::HasFatalFailure()) return;
    ++num_tried;
  }
}

TEST(ConvTranspose, RandomGeometriesMatchPlainLoops) {
  std::mt19937 rng(4243);
  int num_tried = 0;
  while (num_tried < 300) {
    const Problem p = draw_problem(rng, true);
    Ints out;
    for (std::size_t i = 0; i < p.in.size(); ++i) {
      out.push_back(p.stride[i] * (p.in[i] - 1) + p.output_padding[i] + (p.kernel[i] - 1) * p.dilation[i] + 1 -
                    p.pad_begin[i] - p.pad_end[i]);
    }
    const Result<Tensor> y = run_node(p.node, p.operands());
    if (std::any_of(out.begin(), out.end(), [](std::int64_t extent) { return extent < 0; })) {
      ASSERT_FALSE(y.ok()) << p.describe();
      continue;
    }
    ASSERT_TRUE(y.ok()) << p.describe() << ": " << y.error().message;
    expect_near(*y, output_shape(p, out), plain(p, out, true), p.describe());
    if (testing::Test::HasFatalFailure()) return;
    ++num_tried;
  }
}

// 16 * 9 inputs a column and 160 * 160 columns exceed one tile of either operator.
TEST(Conv, SeveralTilesOfColumnsMatchPlainLoops) {
  std::mt19937 rng(4244);
  for (const bool transpose : {false, true}) {
    Problem p;
    p.group_in = transpose ? 2 : 16;
    p.group_out = transpose ? 16 : 2;
    p.in = {160, 160};
    p.kernel = {3, 3};
    p.stride = {1, 1};
    p.dilation = {1, 1};
    p.pad_begin = {1, 1};
    p.x = random_tensor(rng, Shape{1, p.group_in, 160, 160});
    p.w = transpose ? random_tensor(rng, Shape{p.group_in, p.group_out, 3, 3})
                    : random_tensor(rng, Shape{p.group_out, p.group_in, 3, 3});
    p.node = make_node(transpose ? "ConvTranspose" : "Conv", 2);
    p.node.attributes.set("pads", Ints{1, 1, 1, 1});
    const Result<Tensor> y = run_node(p.node, p.operands());
    ASSERT_TRUE(y.ok()) << y.error().message;
    expect_near(*y, output_shape(p, p.in), plain(p, p.in, transpose), p.describe());
  }
}

// in 4, kernel 3, stride 2: two outputs need 5 inputs, one zero is added.
TEST(Conv, SameUpperPadsTheEndAndSameLowerTheBeginning) {
  const Tensor x = Tensor::of<float>({1, 1, 4}, {1, 2, 3, 4});
  const Tensor w = Tensor::of<float>({1, 1, 3}, {1, 10, 100});
  graph::Node node = make_node("Conv", 2);
  node.attributes.set("strides", Ints{2});
  node.attributes.set("auto_pad", std::string("SAME_UPPER"));
  Result<Tensor> y = run_node(node, {x, w});
  ASSERT_TRUE(y.ok());
  expect_near(*y, Shape{1, 1, 2}, {321, 43}, "upper");
  node.attributes.set("auto_pad", std::string("SAME_LOWER"));
  y = run_node(node, {x, w});
  ASSERT_TRUE(y.ok());
  expect_near(*y, Shape{1, 1, 2}, {210, 432}, "lower");
  node.attributes.set("auto_pad", std::string("VALID"));
  y = run_node(node, {x, w});
  ASSERT_TRUE(y.ok());
  expect_near(*y, Shape{1, 1, 1}, {321}, "valid");
}

// Windows reach 2 * (2 - 1) + 3 = 5 outputs; 4 are wanted, 1 is cut off: at the
// beginning, except for SAME_UPPER. 6 are wanted: the sixth stays 0.
TEST(ConvTranspose, OutputShapeDecidesThePads) {
  const Tensor x = Tensor::of<float>({1, 1, 2}, {1, 2});
  const Tensor w = Tensor::of<float>({1, 1, 3}, {1, 10, 100});
  graph::Node node = make_node("ConvTranspose", 2);
  node.attributes.set("strides", Ints{2});
  node.attributes.set("output_shape", Ints{4});
  Result<Tensor> y = run_node(node, {x, w});
  ASSERT_TRUE(y.ok());
  expect_near(*y, Shape{1, 1, 4}, {10, 102, 20, 200}, "not set");
  node.attributes.set("auto_pad", std::string("SAME_UPPER"));
  y = run_node(node, {x, w});
  ASSERT_TRUE(y.ok());
  expect_near(*y, Shape{1, 1, 4}, {1, 10, 102, 20}, "upper");
  node.attributes.erase("output_shape");
  y = run_node(node, {x, w});
  ASSERT_TRUE(y.ok());
  expect_near(*y, Shape{1, 1, 4}, {1, 10, 102, 20}, "same is stride times input");
  node.attributes.set("output_shape", Ints{1, 1, 6});
  y = run_node(node, {x, w});
  ASSERT_TRUE(y.ok());
  expect_near(*y, Shape{1, 1, 6}, {1, 10, 102, 20, 200, 0}, "longer");
}

TEST(Conv, NanReachesTheOutputThroughTheClamp) {
  Tensor x = Tensor::of<float>({1, 1, 1, 2}, {std::numeric_limits<float>::quiet_NaN(), 3});
  for (const std::int64_t groups : {1, 2}) {
    graph::Node node = make_node("Conv", 2);
    node.attributes.set("group", groups);
    node.clamp = graph::FusedClamp{0.0F, 6.0F, "relu6", "pre"};
    const Tensor channels = groups == 1 ? x : Tensor::of<float>({1, 2, 1, 1}, x.values<float>());
    const Tensor w = groups == 1 ? Tensor::of<float>({1, 1, 1, 1}, {4}) : Tensor::of<float>({2, 1, 1, 1}, {4, 4});
    const Result<Tensor> y = run_node(node, {channels, w});
    ASSERT_TRUE(y.ok()) << y.error().message;
    EXPECT_TRUE(std::isnan(y->data<float>()[0]));
    EXPECT_EQ(y->data<float>()[1], 6.0F);
  }
}

TEST(Conv, EmptyBatchAndEmptyImagesGiveEmptyOrBiasOnlyOutputs) {
  const Tensor w = Tensor::of<float>({1, 1, 1, 1}, {4});
  Result<Tensor> y = run_node(make_node("Conv", 2), {Tensor(TensorType{DType::kFloat32, Shape{0, 1, 2, 2}}), w});
  ASSERT_TRUE(y.ok());
  EXPECT_EQ(y->shape(), (Shape{0, 1, 2, 2}));
  graph::Node node = make_node("Conv", 3);
  node.attributes.set("pads", Ints{1, 1, 0, 0});
  y = run_node(node, {Tensor(TensorType{DType::kFloat32, Shape{1, 1, 0, 0}}), w, Tensor::of<float>({1}, {7})});
  ASSERT_TRUE(y.ok());
  expect_near(*y, Shape{1, 1, 1, 1}, {7}, "padding only");
}

TEST(Conv, RefusesWhatDoesNotFit) {
  std::mt19937 rng(1);
  const Tensor x = random_tensor(rng, Shape{1, 4, 5, 5});
  const Tensor w = random_tensor(rng, Shape{6, 4, 3, 3});
  graph::Node node = make_node("Conv", 2);
  EXPECT_EQ(error_of(node, {x, w}), "");
  EXPECT_EQ(error_of(node, {x, random_tensor(rng, Shape{6, 3, 3, 3})}),
            "weight has 3 input channels in each of 1 groups, the input has 4");
  EXPECT_EQ(error_of(node, {x, random_tensor(rng, Shape{6, 4, 7, 3})}),
            "the kernel spans 7 elements of spatial axis 0, the padded input has 5");
  EXPECT_EQ(error_of(node, {x, random_tensor(rng, Shape{6, 4, 3})}), "weight has rank 3, the input has 4");
  EXPECT_EQ(error_of(node, {random_tensor(rng, Shape{1, 4}), w}), "input has rank 2, expected at least 3");
  EXPECT_EQ(error_of(make_node("Conv", 3), {x, w, random_tensor(rng, Shape{5})}), "bias has shape [5], expected [6]");
  EXPECT_EQ(error_of(node, {x, Tensor::of<std::int32_t>({1, 1, 1, 1}, {1})}), "weight is int32, expected float32");
  node.attributes.set("strides", Ints{0, 1});
  EXPECT_EQ(error_of(node, {x, w}), "attribute strides contains 0, expected 1 to 2147483647");
  node.attributes.set("strides", Ints{1});
  EXPECT_EQ(error_of(node, {x, w}), "attribute strides has 1 values, expected 2");
  node.attributes.erase("strides");
  node.attributes.set("group", std::int64_t{0});
  EXPECT_EQ(error_of(node, {x, w}), "attribute group is 0, expected at least 1");
  node.attributes.erase("group");
  node.attributes.set("pads", Ints{1, 1, -1, 1});
  EXPECT_NE(error_of(node, {x, w}), "");
  node.attributes.set("pads", Ints{2147483647, 2147483647, 2147483647, 2147483647});
  EXPECT_NE(error_of(node, {x, w}), "");
  node.attributes.erase("pads");
  node.attributes.set("dilations", Ints{2147483647, 2147483647});
  EXPECT_NE(error_of(node, {x, w}), "");
}

// Kernels that span far more than the image: scratch must stay bounded.
TEST(Conv, HugeDilationsOfDepthwiseKernelsNeedLittleScratch) {
  std::mt19937 rng(2);
  graph::Node node = make_node("Conv", 2);
  node.attributes.set("group", std::int64_t{2});
  node.attributes.set("dilations", Ints{100'000'000, 100'000'000});
  node.attributes.set("pads", Ints{100'000'000, 100'000'000, 100'000'000, 100'000'000});
  const Tensor x = random_tensor(rng, Shape{1, 2, 3, 3});
  const Tensor w = random_tensor(rng, Shape{2, 1, 3, 3});
  const Result<Tensor> y = run_node(node, {x, w});
  ASSERT_TRUE(y.ok()) << y.error().message;
  EXPECT_EQ(y->shape(), (Shape{1, 2, 3, 3}));
  EXPECT_NEAR(y->data<float>()[0], x.data<float>()[0] * w.data<float>()[4], 1e-6);
}

TEST(ConvTranspose, RefusesWhatDoesNotFit) {
  std::mt19937 rng(3);
  const Tensor x = random_tensor(rng, Shape{1, 4, 5, 5});
  const Tensor w = random_tensor(rng, Shape{4, 2, 3, 3});
  graph::Node node = make_node("ConvTranspose", 2);
  EXPECT_EQ(error_of(node, {x, w}), "");
  EXPECT_EQ(error_of(node, {x, random_tensor(rng, Shape{3, 2, 3, 3})}), "weight has 3 input channels, the input has 4");
  node.attributes.set("group", std::int64_t{3});
  EXPECT_EQ(error_of(node, {x, w}), "4 input channels do not divide into 3 groups");
  node.attributes.erase("group");
  node.attributes.set("pads", Ints{9, 9, 9, 9});
  EXPECT_EQ(error_of(node, {x, w}), "the pads remove more than the output has along spatial axis 0");
  node.attributes.erase("pads");
  node.attributes.set("output_shape", Ints{-4, 4});
  EXPECT_EQ(error_of(node, {x, w}), "attribute output_shape contains -4");
  node.attributes.set("output_shape", Ints{4});
  EXPECT_EQ(error_of(node, {x, w}), "attribute output_shape has 1 values, expected 2");
}

TEST(ConvWeights, ChannelAxisFollowsTheLayout) {
  graph::Node node = make_node("ConvTranspose", 2);
  const OpDef& transpose = *find_op("", "ConvTranspose");
  EXPECT_EQ(weight_channel_axis(transpose, node, Shape{4, 2, 3, 3}), 1);
  node.attributes.set("group", std::int64_t{2});
  EXPECT_EQ(weight_channel_axis(transpose, node, Shape{4, 2, 3, 3}), std::nullopt);
  EXPECT_EQ(weight_channel_axis(*find_op("", "Conv"), node, Shape{4, 2, 3, 3}), 0);
}

}  // namespace
}  // namespace halfstep::ops
