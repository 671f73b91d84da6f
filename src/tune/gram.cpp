// gram.cpp: windows of codes as columns, and their products in blocks above the diagonal.
#include "tune/gram.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include "core/code_types.hpp"
#include "core/errors.hpp"
#include "kernels/int_columns.hpp"
#include "kernels/int_gemm.hpp"
#include "kernels/requantize.hpp"
#include "ops/linear/conv_geometry.hpp"

namespace halfstep::tune {
namespace {

// |x| <= 2^8, so a sum over kMaxCapacity products stays below 2^12 * 2^16 = 2^28: no sum of int_gemm leaves int32.
constexpr std::int64_t kMaxMagnitude = 256;
constexpr std::int64_t kMinCapacity = 256;
constexpr std::int64_t kMaxCapacity = 4096;
constexpr std::int64_t kColumnBudget = std::int64_t{1} << 20;  // Elements waiting, if more than kMinCapacity fit.
constexpr std::int64_t kBlockColumns = 96;                     // Whole panels of every instruction set's int_gemm.
constexpr std::int64_t kMaxCentred = std::int64_t{1} << 28;    // Elements of a sample with its padding.

int shift_for(const Encoding& grid) {
  std::int64_t magnitude = 0;
  for (const QuantParams& p : grid.params()) {
    magnitude = std::max(
        {magnitude, std::int64_t{grid.grid().q_max} - p.zero_point, std::int64_t{p.zero_point} - grid.grid().q_min});
  }
  int shift = 0;
  while (((magnitude + ((std::int64_t{1} << shift) >> 1)) >> shift) > kMaxMagnitude) ++shift;
  return shift;
}

Result<ops::ConvGeometry> window_geometry(const graph::Node& node, const Shape& input, const Shape& weight) {
  const std::array types = {TensorType{DType::kFloat32, input}, TensorType{DType::kFloat32, weight}};
  const std::array<const TensorType*, 2> pointers = {types.data(), &types[1]};
  const std::array<const Tensor*, 2> values = {nullptr, nullptr};
  return ops::conv_geometry(ops::NodeArgs{node, pointers, values});
}

// A convolution's input with what its windows reach around it: extents of the padded image of one channel.
Result<std::array<std::int64_t, 3>> padded_extents(const ops::ConvGeometry& g) {
  std::array<std::int64_t, 3> extents = {1, 1, 1};
  std::int64_t size = g.batch * g.in_channels;
  for (std::size_t a = 0; a < 3; ++a) {
    // Attributes and extents are below 2^33, their products checked one by one: nothing overflows.
    const std::int64_t window = (g.kernel[a] - 1) * g.dilation[a] + 1;
    if (window > kMaxCentred || g.out[a] > kMaxCentred / g.stride[a])
      return unsupported("the padded input is too large");
    extents[a] = (g.out[a] - 1) * g.stride[a] + window;
    size *= extents[a];
    if (size > kMaxCentred) return unsupported("the padded input is too large");
  }
  return extents;
}

// How many positions of an axis' padded image hold elements of the image, from pad on.
std::int64_t inside_extent(std::int64_t padded, std::int64_t pad, std::int64_t in) {
  return std::clamp<std::int64_t>(padded - pad, 0, in);
}

template <class Code>
void centre_shifted(const Code* codes, std::int64_t count, std::int32_t zero_point, int shift, std::int16_t* out) {
  const std::int32_t half = (1 << shift) >> 1;
  for (std::int64_t i = 0; i < count; ++i) {
    out[i] = static_cast<std::int16_t>((std::int32_t{codes[i]} - zero_point + half) >> shift);
  }
}

struct BaseRun {
  std::int32_t base;
  std::int32_t count;
};

std::vector<BaseRun> runs_of(std::span<const std::int32_t> bases) {
  std::vector<BaseRun> runs;
  for (const std::int32_t base : bases) {
    if (!runs.empty() && base == runs.back().base + runs.back().count) {
      ++runs.back().count;
    } else {
      runs.push_back({base, 1});
    }
  }
  return runs;
}

}  // namespace

Result<GramAccumulator> GramAccumulator::make(const graph::Node& node, const Shape& input, const Shape& weight,
                                              const Encoding& grid, std::int64_t max_positions) {
  const Result<LinearRows> layout = linear_rows(node, weight);
  if (!layout.ok()) return layout.error();
  int channel_axis = 1;
  if (layout->windows) {
    if (auto geometry = window_geometry(node, input, weight); !geometry.ok()) return geometry.error();
  } else {
    const bool transposed = node.attributes.get_int("transA", 0) != 0;
    channel_axis = transposed ? 0 : input.rank() - 1;
    if (channel_axis < 0 || input[channel_axis] != layout->k) {
      return invalid("input " + to_string(input) + " does not fit rows of " + std::to_string(layout->k) + " weights");
    }
  }
  if (storage_bits(grid.grid()) > 16) return unsupported("the input has codes of more than 16 bits");
  if (grid.axis() && *grid.axis() != channel_axis) return unsupported("the input's grids are not along its channels");
  if (grid.axis() && static_cast<std::int64_t>(grid.params().size()) != input[channel_axis]) {
    return invalid("the input has " + std::to_string(input[channel_axis]) + " channels and " +
                   std::to_string(grid.params().size()) + " grids");
  }
  if (layout->k > kMaxGramOrder || layout->groups > kMaxGramOrder * kMaxGramOrder / (layout->k * layout->k)) {
    return unsupported("rows of " + std::to_string(layout->k) + " weights in " + std::to_string(layout->groups) +
                       " groups: moments are held for at most " + std::to_string(kMaxGramOrder) + " in one");
  }
  return GramAccumulator(node, weight, grid, *layout, max_positions);
}

GramAccumulator::GramAccumulator(graph::Node node, Shape weight, const Encoding& grid, LinearRows layout,
                                 std::int64_t max_positions)
    : node_(std::move(node)),
      weight_(std::move(weight)),
      grid_(grid),
      layout_(layout),
      max_positions_(max_positions),
      shift_(shift_for(grid)),
      capacity_(std::clamp(kColumnBudget / num_rows(), kMinCapacity, kMaxCapacity) / 2 * 2),
      products_(static_cast<std::size_t>(num_rows() * layout.k)),
      sums_(static_cast<std::size_t>(num_rows())) {}

Result<void> GramAccumulator::add(const ConstView& codes, std::int64_t sample) {
  if (codes.dtype() != storage_dtype(grid_.grid())) {
    return invalid("codes are " + std::string(name_of(codes.dtype())) + ", the grid is stored as " +
                   std::string(name_of(storage_dtype(grid_.grid()))));
  }
  const Result<Vectors> vectors = layout_.windows ? lay_out_windows(codes, sample) : lay_out_matrix(codes, sample);
  if (!vectors.ok()) return vectors.error();
  append(*vectors);
  return {};
}

// Every n-th of `count` positions, n odd so that they do not line up with the even widths of images.
std::vector<std::int64_t> GramAccumulator::chosen(std::int64_t count, std::int64_t sample) const {
  std::int64_t step = 1;
  if (max_positions_ > 0 && count > max_positions_) step = (count + max_positions_ - 1) / max_positions_ | 1;
  // Fibonacci hashing: neighbouring samples start far apart.
  const std::uint64_t hash = static_cast<std::uint64_t>(sample) * 0x9e3779b97f4a7c15U >> 32;
  std::vector<std::int64_t> positions;
  positions.reserve(static_cast<std::size_t>(count / step + 1));
  for (auto at = static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(step)); at < count; at += step) {
    positions.push_back(at);
  }
  return positions;
}

void GramAccumulator::centre(const std::byte* codes, std::int64_t rows, std::int64_t columns, std::int64_t stride,
                             std::size_t channel, std::int16_t* out, std::int64_t out_stride) const {
  const DType dtype = storage_dtype(grid_.grid());
  const std::int32_t zero_point = grid_.params()[grid_.axis() ? channel : 0].zero_point;
  if (shift_ == 0 && size_in_bytes(dtype) == 1) {
    kernels::centre_rows(codes, dtype, rows, columns, stride, zero_point, out, out_stride);
    return;
  }
  visit_code_type(dtype, [&]<class Code>() {
    const auto* from = reinterpret_cast<const Code*>(codes);
    for (std::int64_t row = 0; row < rows; ++row) {
      centre_shifted(from + row * stride, columns, zero_point, shift_, out + row * out_stride);
    }
  });
}

Result<GramAccumulator::Vectors> GramAccumulator::lay_out_windows(const ConstView& codes, std::int64_t sample) {
  const Result<ops::ConvGeometry> geometry = window_geometry(node_, codes.shape(), weight_);
  if (!geometry.ok()) return geometry.error();
  const ops::ConvGeometry& g = *geometry;
  if (g.batch * g.out_size() == 0) return Vectors{};
  if (grid_.axis() && static_cast<std::int64_t>(grid_.params().size()) != g.in_channels) {
    return invalid("the input has " + std::to_string(g.in_channels) + " channels");
  }
  const auto extents = padded_extents(g);
  if (!extents.ok()) return extents.error();
  const std::int64_t plane = (*extents)[1] * (*extents)[2];
  const std::int64_t image = (*extents)[0] * plane;
  centred_.assign(static_cast<std::size_t>(g.batch * g.in_channels * image), 0);
  const std::array copied = {inside_extent((*extents)[0], g.pad[0], g.in[0]),
                             inside_extent((*extents)[1], g.pad[1], g.in[1]),
                             inside_extent((*extents)[2], g.pad[2], g.in[2])};
  const auto bytes = static_cast<std::int64_t>(size_in_bytes(codes.dtype()));
  for (std::int64_t c = 0; c < g.batch * g.in_channels && copied[1] * copied[2] > 0; ++c) {
    for (std::int64_t z = 0; z < copied[0]; ++z) {
      centre(codes.bytes + (c * g.in_size() + z * g.in[1] * g.in[2]) * bytes, copied[1], copied[2], g.in[2],
             static_cast<std::size_t>(c % g.in_channels),
             centred_.data() + c * image + (z + g.pad[0]) * plane + g.pad[1] * (*extents)[2] + g.pad[2], (*extents)[2]);
    }
  }
  const auto place = [&](std::int64_t z, std::int64_t y, std::int64_t x) {
    return static_cast<std::int32_t>(z * plane + y * (*extents)[2] + x);
  };
  Vectors vectors;
  for (std::int64_t row = 0; row < num_rows(); ++row) {
    const std::int64_t tap = row % g.kernel_size();
    vectors.row_offsets.push_back(static_cast<std::int32_t>(row / g.kernel_size() * image) +
                                  place(tap / g.kernel[2] / g.kernel[1] * g.dilation[0],
                                        tap / g.kernel[2] % g.kernel[1] * g.dilation[1],
                                        tap % g.kernel[2] * g.dilation[2]));
  }
  for (const std::int64_t at : chosen(g.batch * g.out_size(), sample)) {
    const std::int64_t step = at % g.out_size();
    vectors.bases.push_back(static_cast<std::int32_t>(at / g.out_size() * g.in_channels * image) +
                            place(step / g.out[2] / g.out[1] * g.stride[0], step / g.out[2] % g.out[1] * g.stride[1],
                                  step % g.out[2] * g.stride[2]));
  }
  return vectors;
}

Result<GramAccumulator::Vectors> GramAccumulator::lay_out_matrix(const ConstView& codes, std::int64_t sample) {
  const Shape& shape = codes.shape();
  const bool transposed = node_.attributes.get_int("transA", 0) != 0;
  const int channel_axis = transposed ? 0 : shape.rank() - 1;
  if (channel_axis < 0 || shape[channel_axis] != layout_.k) {
    return invalid("input " + to_string(shape) + " does not fit rows of " + std::to_string(layout_.k) + " weights");
  }
  const std::int64_t size = codes.num_elements();
  if (size == 0) return Vectors{};
  if (size > kMaxCentred) return unsupported("the input is too large");
  const std::int64_t count = size / layout_.k;
  const std::int64_t k_step = transposed ? count : 1;
  const std::int64_t position_step = transposed ? 1 : layout_.k;
  centred_.resize(static_cast<std::size_t>(size));
  const auto bytes = static_cast<std::int64_t>(size_in_bytes(codes.dtype()));
  if (!grid_.axis()) {
    centre(codes.bytes, 1, size, size, 0, centred_.data(), size);
  } else {
    for (std::int64_t k = 0; k < layout_.k; ++k) {
      const std::int64_t rows = transposed ? 1 : count;
      centre(codes.bytes + k * k_step * bytes, rows, count / rows, layout_.k, static_cast<std::size_t>(k),
             centred_.data() + k * k_step, layout_.k);
    }
  }
  Vectors vectors;
  for (std::int64_t k = 0; k < layout_.k; ++k) vectors.row_offsets.push_back(static_cast<std::int32_t>(k * k_step));
  for (const std::int64_t at : chosen(count, sample)) {
    vectors.bases.push_back(static_cast<std::int32_t>(at * position_step));
  }
  return vectors;
}

void GramAccumulator::append(const Vectors& vectors) {
  if (columns_.empty()) columns_.resize(static_cast<std::size_t>(num_rows() * capacity_));
  const auto total = static_cast<std::int64_t>(vectors.bases.size());
  for (std::int64_t first = 0; first < total;) {
    const std::int64_t count = std::min(total - first, capacity_ - filled_);
    const auto bases =
        std::span(vectors.bases).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    const std::vector<BaseRun> runs = runs_of(bases);
    const bool in_runs = static_cast<std::int64_t>(runs.size()) * 4 <= count;
    for (std::int64_t row = 0; row < num_rows(); ++row) {
      const std::int16_t* from = centred_.data() + vectors.row_offsets[static_cast<std::size_t>(row)];
      std::int16_t* to = columns_.data() + row * capacity_ + filled_;
      if (in_runs) {
        for (const BaseRun& run : runs) to = std::copy_n(from + run.base, run.count, to);
      } else {
        for (const std::int32_t base : bases) *to++ = from[base];
      }
    }
    filled_ += count;
    first += count;
    if (filled_ == capacity_) flush();
  }
  positions_ += total;
}

void GramAccumulator::flush() {
  if (filled_ == 0) return;
  for (std::int64_t row = 0; row < num_rows(); ++row) {
    std::int32_t sum = 0;  // At most kMaxCapacity * kMaxMagnitude.
    const std::int16_t* from = columns_.data() + row * capacity_;
    for (std::int64_t i = 0; i < filled_; ++i) sum += from[i];
    sums_[static_cast<std::size_t>(row)] += sum;
  }
  for (std::int64_t group = 0; group < layout_.groups; ++group) add_products(group);
  filled_ = 0;
}

// Positions are what the product sums over. An odd number of them is filled up with 0 on the right-hand side only:
// what the left-hand side holds there does not matter.
void GramAccumulator::add_products(std::int64_t group) {
  const std::int64_t k = layout_.k;
  const std::int64_t pairs = (filled_ + 1) / 2;
  packed_.resize(static_cast<std::size_t>((capacity_ / 2) * k * 2));
  block_.resize(static_cast<std::size_t>(k * std::min(k, kBlockColumns)));
  const std::int16_t* rows = columns_.data() + group * k * capacity_;
  kernels::pack_columns({.codes = rows, .dtype = DType::kInt16, .k_step = 1, .column_step = capacity_, .centre = 0},
                        filled_, 0, k, packed_.data());
  std::int64_t* products = products_.data() + group * k * k;
  for (std::int64_t first = 0; first < k; first += kBlockColumns) {
    const std::int64_t columns = std::min(kBlockColumns, k - first);
    kernels::int_gemm({.m = first + columns,
                       .n = columns,
                       .k_pairs = pairs,
                       .a = rows,
                       .a_stride = capacity_,
                       .b = packed_.data() + 2 * first,
                       .b_stride = 2 * k,
                       .acc = block_.data(),
                       .acc_stride = columns});
    for (std::int64_t i = 0; i < first + columns; ++i) {
      std::int64_t* to = products + i * k + first;
      const std::int32_t* from = block_.data() + i * columns;
      for (std::int64_t j = 0; j < columns; ++j) to[j] += from[j];
    }
  }
}

void GramAccumulator::merge(GramAccumulator&& other) {
  other.flush();
  std::transform(products_.begin(), products_.end(), other.products_.begin(), products_.begin(), std::plus<>());
  std::transform(sums_.begin(), sums_.end(), other.sums_.begin(), sums_.begin(), std::plus<>());
  positions_ += other.positions_;
}

Gram GramAccumulator::finish() {
  flush();
  Gram gram;
  gram.positions = positions_;
  const double n = static_cast<double>(std::max<std::int64_t>(1, positions_));
  const std::int64_t k = layout_.k;
  const std::int64_t channels = grid_.axis() ? static_cast<std::int64_t>(grid_.params().size()) : 1;
  for (std::int64_t group = 0; group < layout_.groups; ++group) {
    Eigen::VectorXd scale(k);
    Eigen::VectorXd sum(k);
    for (std::int64_t i = 0; i < k; ++i) {
      const std::int64_t row = group * k + i;
      const std::int64_t channel = row * channels / num_rows();  // Channels have as many rows each.
      scale[i] = std::ldexp(grid_.params()[static_cast<std::size_t>(channel)].scale, shift_);
      sum[i] = static_cast<double>(sums_[static_cast<std::size_t>(row)]);
    }
    Eigen::MatrixXd moments(k, k);
    const std::int64_t* products = products_.data() + group * k * k;
    for (std::int64_t i = 0; i < k; ++i) {
      for (std::int64_t j = i; j < k; ++j) {
        const double centred = static_cast<double>(products[i * k + j]) - sum[i] * sum[j] / n;
        moments(i, j) = moments(j, i) = centred * (scale[i] * scale[j]);
      }
    }
    gram.moments.push_back(std::move(moments));
    gram.means.push_back(sum.cwiseProduct(scale) / n);
  }
  return gram;
}

}  // namespace halfstep::tune
