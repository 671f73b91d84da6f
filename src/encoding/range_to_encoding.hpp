// range_to_encoding.hpp: from a range of real numbers to the grid that covers it.
//
// Affine grids, N = q_max - q_min: the range is widened to contain 0, then to at
// least `min_range`;
//   asymmetric:          scale = (max - min) / N, zero_point = q_min + round(-min * N / (max - min))    (E2)
//   symmetric:           scale = max(-min, max) / min(-q_min, q_max), zero_point = 0                    (E3)
//   unsigned symmetric:  scale = max / N, zero_point = 0 without negatives, else as symmetric           (E4)
// Power-of-two grids, t = max(-min, max):
//   scale = 2^ceil(log2 t) / 2^(bits-1) on a signed grid, / 2^bits on an unsigned one; zero_point = 0   (E5)
// A scale that would put an end of the grid beyond the finite float32 numbers is lowered until both are finite.
// Source: docs/numerics.md section 1; (E5) is Jain et al., TQT, MLSys 2020, section 3.
#pragma once

#include <optional>
#include <string_view>

#include "encoding/encoding.hpp"

namespace halfstep {

/// "asymmetric", "symmetric", "unsignedsymmetric": how options spell it.
std::string_view name_of(Schema schema);

/// "affine", "power_of_two".
std::string_view name_of(ScaleKind kind);

/// Which signed grid symmetric encodings use.
enum class SignedGrid {
  kFull,    ///< [-2^(bits-1), 2^(bits-1) - 1]
  kNarrow,  ///< [-(2^(bits-1) - 1), 2^(bits-1) - 1]
};

/// The range of a tensor is widened to this before a grid is fitted: near-constant
/// tensors would otherwise get steps far below their noise. QNN's value.
inline constexpr double kMinRange = 0.0001;

/// What kind of grid is wanted.
struct GridRequest {
  int bits = 8;  ///< 2 to 16.
  Schema schema = Schema::kAsymmetric;
  ScaleKind scale = ScaleKind::kAffine;
  SignedGrid signed_grid = SignedGrid::kFull;
  /// Replaces the signed grid ("restrict_quantization_steps"): -0x80 0x7F.
  std::optional<IntGrid> restricted = std::nullopt;
  double min_range = kMinRange;

  friend bool operator==(const GridRequest&, const GridRequest&) = default;
};

/// An interval of real numbers.
struct RealRange {
  double min = 0.0;
  double max = 0.0;
};

/// A grid fitted to a range, and what had to be done to the range.
struct FittedGrid {
  IntGrid grid;
  QuantParams params;
  bool widened = false;   ///< The range was narrower than GridRequest::min_range.
  bool all_zero = false;  ///< The range was [0, 0]: stands in for it [-1, 1], or [0, 1] on grids without negatives.
};

/// Whether a request makes sense whatever the data.
/// Errors: kUsage if the width is outside 2 to 16 bits; if the schema is
/// asymmetric and scales are powers of two (there is no zero point then: use
/// unsignedsymmetric); if a restricted grid is given for an asymmetric schema,
/// does not have q_min < 0 < q_max or needs more than `bits` bits.
Result<void> check_request(const GridRequest& request);

/// The grid for `range` under `request`.
/// Errors: kCalibration if the range is not finite or its ends are swapped;
/// kUsage if scales are powers of two, the schema is asymmetric and the range
/// has negatives; kUsage for a width outside 2 to 16 bits.
Result<FittedGrid> fit_grid(RealRange range, const GridRequest& request);

/// fit_grid() as the encoding of a whole tensor.
Result<Encoding> encoding_of(const FittedGrid& fitted);

}  // namespace halfstep
