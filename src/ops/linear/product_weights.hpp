// product_weights.hpp: constant weights and their encodings as the integers of a Product: the place that sees scales.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "ops/fixed_form.hpp"
#include "ops/linear/products.hpp"
#include "ops/shared/fixed_codes.hpp"

namespace halfstep::ops {

/// Into which groups weights may be packed (kernels/packed_gemm.hpp).
enum class Packing : std::uint8_t { kNone, kQuads, kAny };

/// How the operands of a node make a Product. Operand 1 is the weight, operand 2 the bias.
struct ProductSpec {
  std::int64_t rows = 0;
  std::int64_t k = 0;
  std::int64_t rows_per_channel = 1;
  /// Row `row` multiplies right-hand row `i` by the weight's element row_offset(row) + k_offsets[i], i < k.
  std::function<std::int64_t(std::int64_t row)> row_offset;
  std::vector<std::int64_t> k_offsets;
  /// By channel: the entry of operand 0's encoding that the channel reads, and of the output's that it writes.
  std::function<std::size_t(std::int64_t channel)> input_entry = [](std::int64_t) { return std::size_t{0}; };
  std::function<std::size_t(std::int64_t channel)> output_entry = [](std::int64_t) { return std::size_t{0}; };
  /// Whether weights are packed, if the sums allow it; every `k_run` of k are filled up to whole groups.
  Packing packing = Packing::kNone;
  std::int64_t k_run = 0;
  std::int64_t bias_step = 1;  ///< Channel c's bias is element c * bias_step.
  double alpha = 1.0;          ///< Of Gemm: times the product.
  double beta = 1.0;           ///< Of Gemm: times the bias.
};

struct BuiltProduct {
  Product product;
  std::vector<Centre> centres;  ///< By entry of operand 0's encoding. Of quads: the lowest value of the codes' type.
  FixedFacts facts;             ///< All but the kernel's description.
};

/// Errors: kUnsupported where the operands have no integer form.
Result<BuiltProduct> build_product(const FixedArgs& args, const ProductSpec& spec);

/// Errors: kUnsupported if `encoding` is per channel but not along `axis`, of extent `extent`.
Result<void> require_channel_axis(const Encoding& encoding, int axis, std::int64_t extent, std::string_view what);

/// How codes of entry `entry` are centred to fit int16.
Centre centre_of(const Encoding& encoding, std::size_t entry = 0);

/// What codes of entry `entry` lie between when they are centred so.
CentredRange fed_range(const Encoding& encoding, std::size_t entry = 0);

/// The codes of those of the first `count` operands that are constant, as FixedForm::replaced_operands.
std::vector<std::optional<Tensor>> constant_codes(const FixedArgs& args, std::size_t count);

/// A step that has nothing to compute.
FixedForm empty_fixed_form();

}  // namespace halfstep::ops
