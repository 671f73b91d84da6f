// Contract under test: tune/output_statistics.hpp, against plain sums over the codes.
#include "tune/output_statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "unit/tune/sweep_support.hpp"

namespace halfstep::tune {
namespace {

graph::Node conv_with(std::optional<graph::FusedClamp> clamp) {
  graph::Node node;
  node.op_type = "Conv";
  node.inputs = {0, 1};
  node.outputs = {2};
  node.clamp = std::move(clamp);
  return node;
}

Tensor draw_codes(std::mt19937& rng, const Shape& shape, IntGrid grid) {
  Tensor codes(TensorType{storage_dtype(grid), shape});
  std::uniform_int_distribution<std::int32_t> any(grid.q_min, grid.q_max);
  visit_dtype(codes.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < codes.num_elements(); ++i) codes.mutable_data<T>()[i] = static_cast<T>(any(rng));
  });
  return codes;
}

/// A graph of this node alone, for measure_output().
graph::Graph graph_of(graph::Node node) {
  graph::Graph graph;
  graph.nodes.push_back(std::move(node));
  return graph;
}

/// Means of the real values, and the share of them strictly inside both clamp and grid, of channels on axis 1.
void expect_plain(const OutputStatistics& seen, const std::vector<Tensor>& outputs, const Encoding& grid,
                  const graph::Node& node) {
  const Shape& shape = outputs[0].shape();
  const std::int64_t inner = shape.num_elements(2, shape.rank());
  const auto channels = static_cast<std::size_t>(shape[1]);
  const std::vector<double> mean = seen.means.over(static_cast<std::int64_t>(outputs.size()));
  ASSERT_EQ(mean.size(), channels);
  ASSERT_EQ(seen.inside.size(), channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const std::size_t p = grid.axis() ? c : 0;
    double low = grid.real_min(p);
    double high = grid.real_max(p);
    if (node.clamp) {
      low = std::max(low, static_cast<double>(node.clamp->min_of(c)));
      high = std::min(high, static_cast<double>(node.clamp->max_of(c)));
    }
    const double half = 0.5 * grid.params()[p].scale;  // Ends lie on the grid up to that.
    double sum = 0.0;
    double inside = 0.0;
    double count = 0.0;
    for (const Tensor& output : outputs) {
      const std::vector<std::int64_t> codes = to_int64s(output);
      for (std::size_t i = 0; i < codes.size(); ++i) {
        if (i / static_cast<std::size_t>(inner) % channels != c) continue;
        const double real = grid.params()[p].scale * static_cast<double>(codes[i] - grid.params()[p].zero_point);
        sum += real;
        count += 1.0;
        inside += real > low + half && real < high - half ? 1.0 : 0.0;
      }
    }
    EXPECT_NEAR(mean[c], sum / count, 1e-9 * (1.0 + std::abs(grid.real_max(p)))) << c;
    EXPECT_NEAR(seen.inside[c], inside / count, 1e-12) << c;
  }
}

TEST(OutputStatistics, ArePlainSumsOverCodesOfEveryWidth) {
  std::mt19937 rng(51);
  const graph::Node node = conv_with({});
  for (const IntGrid grid : {IntGrid{0, 255}, IntGrid{-128, 127}, IntGrid{0, 15}, IntGrid{0, 65535},
                             IntGrid{-32768, 32767}, IntGrid{-2147483647, 2147483647}}) {
    const Encoding encoding = *Encoding::per_tensor(grid, {0.0625, grid.q_min < 0 ? 0 : 7});
    std::vector<Tensor> outputs;
    for (int s = 0; s < 4; ++s) outputs.push_back(draw_codes(rng, {2, 3, 71, 83}, grid));
    for (const int workers : {1, 3}) {
      const auto seen = measure_output(GivenLayer(outputs, encoding, workers), graph_of(node), 4, workers);
      ASSERT_TRUE(seen.ok());
      expect_plain(*seen, outputs, encoding, node);
    }
  }
}

TEST(OutputStatistics, EndsAreThoseOfTheClampAndTheGridOfEachChannel) {
  std::mt19937 rng(52);
  const Encoding channels = *Encoding::per_channel({0, 255}, 1, {{0.0625, 100}, {0.5, 0}, {0.25, 255}});
  const graph::FusedClamp relu6{.min = 0.0F, .max = 6.0F, .node_name = "", .pre_name = ""};
  graph::FusedClamp by_channel = relu6;
  by_channel.channels = graph::ChannelBounds{{-2.0F, 0.0F, -1.0F}, {2.0F, 1000.0F, 0.0F}, 2};
  for (const auto& clamp : {std::optional<graph::FusedClamp>{}, std::optional(relu6), std::optional(by_channel)}) {
    const graph::Node node = conv_with(clamp);
    const std::vector<Tensor> outputs{draw_codes(rng, {1, 3, 30, 30}, {0, 255})};
    const auto seen = measure_output(GivenLayer(outputs, channels), graph_of(node), 1, 1);
    ASSERT_TRUE(seen.ok());
    expect_plain(*seen, outputs, channels, node);
  }
}

TEST(OutputStatistics, RealNumbersAreAllInside) {
  const std::vector<Tensor> outputs{Tensor::of<float>({1, 2, 2}, {1.0F, 2.0F, -4.0F, 0.0F}),
                                    Tensor::of<float>({1, 2, 2}, {3.0F, 4.0F, -4.0F, 2.0F})};
  const auto seen = measure_output(GivenLayer(outputs, {}), graph_of(conv_with({})), 2, 1);
  ASSERT_TRUE(seen.ok());
  EXPECT_EQ(seen->means.by_sample, (std::vector<std::vector<double>>{{1.5, -2.0}, {3.5, -1.0}}));
  EXPECT_EQ(seen->inside, (std::vector<double>{1.0, 1.0}));
}

}  // namespace
}  // namespace halfstep::tune
