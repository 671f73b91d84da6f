// output_statistics.cpp: integer sums of codes, so that their order does not matter.
#include "tune/output_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "tune/channel_means.hpp"

namespace halfstep::tune {
namespace {

/// Of one channel, in codes.
struct CodeSums {
  std::int64_t sum = 0;
  std::int64_t inside = 0;
};

/// The codes at which a channel's values end: what its clamp allows, within its grid.
struct CodeEnds {
  std::int32_t low = 0;
  std::int32_t high = 0;
};

CodeEnds ends_of(const Encoding& grid, const graph::Node& node, std::size_t channel) {
  CodeEnds ends{grid.grid().q_min, grid.grid().q_max};
  if (!node.clamp) return ends;
  const QuantParams& params = grid.params()[grid.axis() ? channel : 0];
  const auto code_of = [&](float real) {
    const double code = std::nearbyint(static_cast<double>(real) / params.scale) + params.zero_point;
    return static_cast<std::int32_t>(std::clamp<double>(code, ends.low, ends.high));
  };
  return {code_of(node.clamp->min_of(channel)), code_of(node.clamp->max_of(channel))};
}

template <class T>
void add_run(const T* codes, std::int64_t count, CodeEnds ends, CodeSums& sums) {
  // 32-bit sums of blocks short enough that none overflows: vectorised. Accumulators need 64 bits.
  using BlockSum = std::conditional_t<sizeof(T) < 4, std::int32_t, std::int64_t>;
  constexpr std::int64_t kBlock = 16384;
  while (count > 0) {
    const std::int64_t block = std::min(count, kBlock);
    BlockSum sum = 0;
    std::int32_t inside = 0;
    for (std::int64_t i = 0; i < block; ++i) {
      const auto code = static_cast<std::int32_t>(codes[i]);
      sum += code;
      inside += static_cast<std::int32_t>(code > ends.low) & static_cast<std::int32_t>(code < ends.high);
    }
    sums.sum += sum;
    sums.inside += inside;
    codes += block;
    count -= block;
  }
}

template <class T>
void add_codes(ConstView view, int axis, const std::vector<CodeEnds>& ends, std::vector<CodeSums>& sums) {
  const Shape& shape = view.shape();
  const std::int64_t outer = shape.num_elements(0, axis);
  const std::int64_t inner = shape.num_elements(axis + 1, shape.rank());
  const T* codes = view.data<T>();
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::size_t c = 0; c < sums.size(); ++c) {
      add_run(codes, inner, ends[c], sums[c]);
      codes += inner;
    }
  }
}

void add_any_codes(ConstView view, int axis, const std::vector<CodeEnds>& ends, std::vector<CodeSums>& sums) {
  switch (view.dtype()) {
    case DType::kUint8:
      return add_codes<std::uint8_t>(view, axis, ends, sums);
    case DType::kInt8:
      return add_codes<std::int8_t>(view, axis, ends, sums);
    case DType::kUint16:
      return add_codes<std::uint16_t>(view, axis, ends, sums);
    case DType::kInt16:
      return add_codes<std::int16_t>(view, axis, ends, sums);
    default:  // An output without a grid: accumulators.
      return add_codes<std::int32_t>(view, axis, ends, sums);
  }
}

/// Everything one worker has seen.
struct SeenCodes {
  std::vector<CodeEnds> ends = {};
  std::vector<std::int64_t> inside = {};
  std::int64_t count = 0;  ///< Values a channel.

  /// The mean of each channel of one sample, real units.
  std::vector<double> add(ConstView view, int axis, const Encoding& grid, const graph::Node& node) {
    const std::int64_t num_channels = view.shape()[axis];
    for (std::size_t c = ends.size(); c < static_cast<std::size_t>(num_channels); ++c) {
      ends.push_back(ends_of(grid, node, c));
    }
    std::vector<CodeSums> sums(ends.size());
    add_any_codes(view, axis, ends, sums);
    const std::int64_t each = view.num_elements() / num_channels;
    count += each;
    inside.resize(ends.size());
    std::vector<double> means(ends.size());
    for (std::size_t c = 0; c < means.size(); ++c) {
      const QuantParams& params = grid.params()[grid.axis() ? c : 0];
      means[c] = params.scale * (static_cast<double>(sums[c].sum) / static_cast<double>(each) - params.zero_point);
      inside[c] += sums[c].inside;
    }
    return means;
  }
};

/// The share of values inside, of all workers.
std::vector<double> inside_of(const std::vector<SeenCodes>& by_worker, std::size_t num_channels) {
  std::vector<double> share(num_channels, 0.0);
  std::int64_t count = 0;
  std::vector<std::int64_t> inside(num_channels);
  for (const SeenCodes& seen : by_worker) {
    for (std::size_t c = 0; c < seen.inside.size(); ++c) inside[c] += seen.inside[c];
    count += seen.count;
  }
  // Real numbers have no ends.
  for (std::size_t c = 0; c < num_channels; ++c) {
    share[c] = count == 0 ? 1.0 : static_cast<double>(inside[c]) / static_cast<double>(count);
  }
  return share;
}

}  // namespace

Result<OutputStatistics> measure_output(const SweptLayer& layer, const graph::Graph& graph, std::int64_t num_samples,
                                        int num_threads) {
  const ops::OpDef& op = *ops::find_op(graph.node(layer.node()));
  const graph::Node& last = graph.node(layer.last());
  std::vector<SeenCodes> by_worker(static_cast<std::size_t>(num_threads));
  OutputStatistics result;
  result.means.by_sample.resize(static_cast<std::size_t>(num_samples));
  const auto see = [&](std::int64_t sample, int worker, ConstView view, const Encoding* grid) -> Result<void> {
    const int axis = ops::output_channel_axis(op, view.shape().rank());
    result.means.by_sample[static_cast<std::size_t>(sample)] =
        grid == nullptr ? channel_means(view, axis)
                        : by_worker[static_cast<std::size_t>(worker)].add(view, axis, *grid, last);
    return {};
  };
  if (auto ran = layer.for_each_output(num_samples, see); !ran.ok()) return ran.error();
  result.inside = inside_of(by_worker, result.means.by_sample.empty() ? 0 : result.means.by_sample.front().size());
  return result;
}

}  // namespace halfstep::tune
