// metrics.hpp: how far one tensor is from another.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/error_sums.hpp"

namespace halfstep::compare {

/// Sums over pairs (reference, other) from which every error measure follows;
/// adding two of them is the same as accumulating all pairs in one.
struct ErrorSums {
  std::int64_t count = 0;
  double reference_squared = 0.0;
  double other_squared = 0.0;
  double product = 0.0;
  double error_squared = 0.0;
  double max_abs_error = 0.0;
  std::int64_t one_sided = 0;  ///< Pairs that differ and of which one at least is NaN or infinite.

  /// Adds pairs; both spans have the same length. Fixed order: the same bits for the same data.
  /// Two NaN, or two equal infinities, count as equal and add nothing; where only one side is NaN or infinite, the
  /// error is infinite and the pair is counted in `one_sided`. So no sum is ever NaN.
  void add(std::span<const float> reference, std::span<const float> other);
  void add(const ErrorSums& more);

  /// False if NaN or infinities were added up by kernels, which makes nonsense of some sums.
  bool is_valid() const;

  /// 10 log10(sum reference^2 / sum error^2). +infinity without any error,
  /// -infinity if the reference is all zero and the other is not.
  double sqnr_db() const;
  /// Cosine of the angle between both; 1 if both are all zero, 0 if one is or any pair is one-sided.
  double cosine() const;
  double mean_squared_error() const;
};

/// Takes the next pairs of a tensor.
using AddPiece = std::function<void(std::span<const float> reference, std::span<const float> other)>;
/// Calls its argument for the pieces of a tensor in order, all but the last a multiple of 8 pairs long.
using ForEachPiece = std::function<void(const AddPiece&)>;

/// The sums of `count` pairs that kernels added up.
ErrorSums sums_of_lanes(const kernels::ErrorLanes& lanes, std::int64_t count);

/// What ErrorSums::add() makes of all pieces together. Goes over them once; twice if they hold NaN or infinities.
ErrorSums sums_of_pieces(const ForEachPiece& for_each_piece);

/// Positions of the largest values, best first; ties go to the lower index; NaN never wins.
/// At most `k`.
std::vector<std::int64_t> top_k(std::span<const float> scores, int k);

}  // namespace halfstep::compare
