// pack_weights_int.cpp: the rows of a Product in the order in which the kernels read them.
#include <algorithm>
#include <utility>

#include "ops/linear/products.hpp"

namespace halfstep::ops {

void pack_weights(std::span<const std::int32_t> left, std::int64_t k_run, kernels::Group group, Product& product) {
  const std::int64_t k = product.plan.k;
  const std::int64_t size = kernels::group_size(group);
  const std::int64_t run = k_run > 0 ? k_run : k;
  const std::int64_t padded_run = (run + size - 1) / size * size;
  const std::int64_t padded_k = run == 0 ? 0 : k / run * padded_run;
  std::vector<std::int32_t> rows(static_cast<std::size_t>(product.rows * padded_k), 0);
  const std::int32_t* from = left.data();
  for (std::int64_t row = 0; row < product.rows; ++row) {
    std::int32_t* to = rows.data() + row * padded_k;
    for (std::int64_t done = 0; done < k; done += run, from += run, to += padded_run) std::copy_n(from, run, to);
  }
  product.packed = kernels::pack_left(group, product.rows, padded_k, rows);
  for (std::int64_t row = 0; row < product.rows && product.y_dtype != DType::kInt32; ++row) {
    const auto channel = static_cast<std::size_t>(row / product.rows_per_channel);
    const std::int64_t start = product.row_start[static_cast<std::size_t>(row)] + product.channel_bias[channel];
    kernels::RowFinish finish;
    if (!kernels::make_row_finish(start, product.requantizers[channel], product.y_dtype, finish)) {
      product.finish.clear();
      return;
    }
    product.finish.push_back(finish);
  }
}

void lay_out_weights(std::vector<std::int32_t> left, Product& product) {
  const std::int64_t k = product.plan.k;
  for (const std::int32_t w : left) {
    if (w != static_cast<std::int16_t>(w)) {
      product.plain = std::move(left);
      return;
    }
  }
  product.pairs.assign(static_cast<std::size_t>(2 * product.rows * product.plan.k_pairs), 0);
  for (std::int64_t row = 0; row < product.rows; ++row) {
    for (std::int64_t i = 0; i < k; ++i) {
      product.pairs[static_cast<std::size_t>(2 * row * product.plan.k_pairs + i)] =
          static_cast<std::int16_t>(left[static_cast<std::size_t>(row * k + i)]);
    }
  }
}

}  // namespace halfstep::ops
