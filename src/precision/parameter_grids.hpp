// parameter_grids.hpp: grids of constants, from their values.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "calib/range_estimators.hpp"
#include "core/tensor.hpp"
#include "encoding/encoding.hpp"
#include "encoding/range_to_encoding.hpp"
#include "halfstep/result.hpp"

namespace halfstep::precision {

/// The grid of a constant while its scales may still be raised.
struct ParameterGrid {
  IntGrid grid;
  std::optional<int> axis;          ///< Empty: per tensor, params has size 1.
  std::vector<QuantParams> params;  ///< One a channel, or one a block.
  std::optional<int> block_axis = std::nullopt;
  std::int64_t block_size = 0;

  Result<Encoding> encoding() const;
};

/// A channel's range is widened to this share of the tensor's largest
/// magnitude: channels that are all but dead (folded BatchNormalization leaves
/// such) would otherwise get scales that no multiplier can express.
inline constexpr double kMinChannelShare = 1.0 / (1 << 20);

/// Ranges of constants are exact, so they need no noise floor; this one only
/// keeps scales normal float32 numbers.
inline constexpr double kMinConstantRange = 1e-30;

/// One grid for the whole of `values`, over the range that `rule` chooses.
/// Errors: kCalibration naming the tensor `name` if it holds NaN or an infinity; those of fit_grid().
Result<ParameterGrid> fit_tensor(const Tensor& values, GridRequest request, const RangeRule& rule,
                                 std::string_view name);

/// One grid a slice along `axis`; all on the same IntGrid.
/// Errors: as fit_tensor().
Result<ParameterGrid> fit_channels(const Tensor& values, int axis, GridRequest request, const RangeRule& rule,
                                   std::string_view name);

/// One grid for each block of `block_size` along `axis` at each place along the other axes, as Encoding::per_block()
/// has them; all on the same IntGrid. What a short last block lacks counts as zeros, which histograms see.
/// Errors: as fit_tensor().
Result<ParameterGrid> fit_blocks(const Tensor& values, int axis, std::int64_t block_size, GridRequest request,
                                 const RangeRule& rule, std::string_view name);

/// What each channel of a tensor whose smallest value is `min` shall ask for, so that all get the same IntGrid.
GridRequest for_channels_of(GridRequest request, double min);

/// Grids that cover `ranges`, one each; narrow ranges are widened to request.min_range.
/// Requires: `ranges` is not empty; `request` went through for_channels_of(). Errors: those of fit_grid().
Result<ParameterGrid> fit_ranges(const std::vector<RealRange>& ranges, std::optional<int> axis,
                                 const GridRequest& request);

/// The largest magnitude in `values`; 0 if empty.
/// Errors: kCalibration naming the tensor `name` if it holds NaN or an infinity.
Result<double> largest_magnitude(const Tensor& values, std::string_view name);

}  // namespace halfstep::precision
