// weight_codes.hpp: the integers and scales of a constant weight, row by row of a product.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ops/fixed_form.hpp"
#include "ops/linear/product_weights.hpp"

namespace halfstep::ops {

/// Operand 1 of a node. Refers to the arguments and the spec it was made of.
class WeightCodes {
 public:
  /// Errors: kUnsupported if the weight is not constant, or its encoding does not fit it.
  static Result<WeightCodes> of(const FixedArgs& args, const ProductSpec& spec);

  /// The scale all weights of `channel` share. Errors: kUnsupported if they do not share one.
  Result<double> scale(std::int64_t channel) const;

  /// Writes q - z of all weights of `channel`, [rows_per_channel][k], recoded at `raised_scale` if there is one.
  void fill(std::int64_t channel, std::optional<double> raised_scale, std::int32_t* to) const;

 private:
  WeightCodes(const FixedArgs& args, const ProductSpec& spec, const Encoding& encoding, const Tensor& codes);

  const QuantParams& params(std::int64_t element) const {
    return encoding_.params()[extent_ == 1 ? 0 : static_cast<std::size_t>(element / inner_ % extent_)];
  }
  /// All weights of the row that begins at `offset` have the same params().
  bool shares_params(std::int64_t offset) const {
    return extent_ == 1 || (offset + least_) / inner_ == (offset + most_) / inner_;
  }
  std::int32_t recoded(std::int64_t element, std::int32_t steps, const QuantParams& p, double scale) const;

  const FixedArgs& args_;
  const ProductSpec& spec_;
  const Encoding& encoding_;
  const Tensor& codes_;
  std::int64_t extent_ = 1;  // Of the encoding's axis; behind it, inner_ elements.
  std::int64_t inner_ = 1;
  std::int64_t least_ = 0;  // Of spec_.k_offsets.
  std::int64_t most_ = 0;
  bool in_order_ = false;  // They are 0, 1, 2, ...
};

}  // namespace halfstep::ops
