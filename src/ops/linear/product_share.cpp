// product_share.cpp: float products computed by several parts.
#include "ops/linear/product_share.hpp"

namespace halfstep::ops {

void take_share(const KernelIo& io, kernels::Gemm& g) {
  if (io.num_parts == 1) return;
  const bool a_in_rows = g.a_order == kernels::Order::kRows;
  const bool b_in_rows = g.b_order == kernels::Order::kRows;
  if (!b_in_rows || shares_columns(io, g.n)) {
    const Share columns = share_of(io, g.n, kernels::kColumnGranule);
    g.n = columns.end - columns.begin;
    g.b += columns.begin * (b_in_rows ? 1 : g.b_stride);
    g.c += columns.begin;
    if (g.column_bias != nullptr) g.column_bias += columns.begin;
    return;
  }
  const Share rows = share_of(io, g.m, kRowGranule);
  g.m = rows.end - rows.begin;
  g.a += rows.begin * (a_in_rows ? g.a_stride : 1);
  g.c += rows.begin * g.c_stride;
  if (g.row_bias != nullptr) g.row_bias += rows.begin;
}

}  // namespace halfstep::ops
