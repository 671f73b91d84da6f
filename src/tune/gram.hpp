// gram.hpp: second moments of the vectors that a linear layer's weights multiply.
//
// Rounding a weight row w to q changes the layer's output by (q - w) x, whose variance over the positions of the data
// is (q - w) H (q - w)' / n with
//
//   H = sum over positions of (x - mean) (x - mean)'.
//
// H is centred because a bias absorbs the mean of the change. Sums are integers, of codes less zero points, so they do
// not depend on the order of samples, on threads or on the instruction set.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor.hpp"
#include "encoding/encoding.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "tune/linear_rows.hpp"

namespace halfstep::tune {

/// H of more inputs a row than this (a 3x3 convolution of 512 channels would need 170 MB, and as much for the result)
/// is refused.
inline constexpr std::int64_t kMaxGramOrder = 2304;

/// What a GramAccumulator has seen, in real units. Group by group; a matrix multiplication is one group, a depthwise
/// convolution has one a channel.
struct Gram {
  std::vector<Eigen::MatrixXd> moments;  ///< H, [K, K] each, symmetric.
  std::vector<Eigen::VectorXd> means;    ///< [K] each.
  std::int64_t positions = 0;            ///< n.
};

/// Sums over samples. Each worker has its own; merge() joins them without loss.
/// Exact for codes of up to 8 bits. Wider ones are rounded to 8 bits and a sign first, which adds the noise of such a
/// grid to H.
class GramAccumulator {
 public:
  /// For the linear node's input 0 of shape `input` (later samples may differ in extents, but not in channels) on
  /// `grid`, and its weight's shape. Of each sample at most `max_positions` positions count, evenly thinned, with an
  /// offset that depends on the sample's index; 0: all. Where positions reach outside the image, x is 0.
  /// Errors: kUnsupported as linear_rows(), for a grid along another axis than the channels', or more than
  /// kMaxGramOrder inputs a row (or more groups than that memory holds); kInvalidInput if operands do not fit.
  static Result<GramAccumulator> make(const graph::Node& node, const Shape& input, const Shape& weight,
                                      const Encoding& grid, std::int64_t max_positions = 0);

  /// Adds the codes of input 0 of sample number `sample` (>= 0).
  /// Errors: kInvalidInput if they do not fit the node; kUnsupported for tensors too large to lay out.
  Result<void> add(const ConstView& codes, std::int64_t sample);

  /// As if the samples of `other` had been added here. Requires: both were made alike.
  void merge(GramAccumulator&& other);

  /// The moments of all samples so far.
  Gram finish();

 private:
  // Vectors in centred codes: element r of the vector at position p is centred_[base[p] + row_offset[r]].
  struct Vectors {
    std::vector<std::int32_t> bases;
    std::vector<std::int32_t> row_offsets;
  };

  GramAccumulator(graph::Node node, Shape weight, const Encoding& grid, LinearRows layout, std::int64_t max_positions);
  Result<Vectors> lay_out_windows(const ConstView& codes, std::int64_t sample);
  Result<Vectors> lay_out_matrix(const ConstView& codes, std::int64_t sample);
  std::vector<std::int64_t> chosen(std::int64_t count, std::int64_t sample) const;
  void centre(const std::byte* codes, std::int64_t rows, std::int64_t columns, std::int64_t stride, std::size_t channel,
              std::int16_t* out, std::int64_t out_stride) const;
  void append(const Vectors& vectors);
  void flush();
  void add_products(std::int64_t group);
  std::int64_t num_rows() const { return layout_.groups * layout_.k; }

  graph::Node node_;
  Shape weight_;
  Encoding grid_;
  LinearRows layout_;
  std::int64_t max_positions_ = 0;
  int shift_ = 0;  // Codes are rounded to multiples of 2^shift_.
  std::vector<std::int16_t> centred_;
  std::vector<std::int16_t> columns_;  // [groups * k][capacity_]: vectors that are not in the sums yet.
  std::int64_t capacity_ = 0;
  std::int64_t filled_ = 0;
  std::vector<std::int64_t> products_;  // [groups][k][k], the upper triangles.
  std::vector<std::int64_t> sums_;      // [groups * k]
  std::int64_t positions_ = 0;
  std::vector<std::int16_t> packed_;
  std::vector<std::int32_t> block_;
};

}  // namespace halfstep::tune
