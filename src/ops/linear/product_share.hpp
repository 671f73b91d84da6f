// product_share.hpp: float products computed by several parts.
#pragma once

#include "kernels/gemm.hpp"
#include "ops/kernel.hpp"

namespace halfstep::ops {

/// Whether parts share out the columns of a product: there are several granules of them for each, or its rows must stay
/// together. Else they share out its rows, `kRowGranule` at a time.
inline bool shares_columns(const KernelIo& io, std::int64_t num_columns) {
  return num_columns >= 2 * io.num_parts * kernels::kColumnGranule;
}
inline constexpr std::int64_t kRowGranule = 8;

/// Leaves this part's share of the product, which may be empty (m or n is 0). The bits of `c` do not depend on how many
/// parts there are.
void take_share(const KernelIo& io, kernels::Gemm& product);

}  // namespace halfstep::ops
