// matmul_int.cpp: MatMul and Gemm on codes.
#include "ops/linear/matmul_int.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "kernels/int_columns.hpp"
#include "kernels/panels.hpp"
#include "kernels/requantize.hpp"

namespace halfstep::ops {
namespace {

// Bytes of left-hand rows that are centred at a time.
constexpr std::int64_t kLeftBytes = 512 * 1024;

std::int64_t code_bytes(DType dtype) { return static_cast<std::int64_t>(size_in_bytes(dtype)); }

void run_linear(const IntLinear& linear, std::int64_t tile, const KernelIo& io) {
  const Product& product = linear.product;
  ScratchParts parts(io.scratch.data());
  auto* columns = parts.take<std::int16_t>(2 * product.plan.k_pairs * tile);
  std::byte* y = io.outputs[0].bytes;
  for (const MatrixPair& pair : linear.pairs) {
    const kernels::CodeMatrix a{.codes = io.inputs[0].bytes + pair.a * code_bytes(linear.a.dtype),
                                .dtype = linear.a.dtype,
                                .k_step = linear.a.column_step,
                                .column_step = linear.a.row_step,
                                .centre = linear.a.centre.centre};
    for (std::int64_t first = 0; first < linear.m; first += tile) {
      const std::int64_t count = std::min(tile, linear.m - first);
      kernels::pack_columns(a, product.plan.k, first, count, columns);
      multiply(product, pair.b, linear.n, columns, count,
               {.codes = y + first * linear.n * code_bytes(product.y_dtype), .row_step = 1, .column_step = linear.n},
               io.scratch.subspan(parts.used()));
    }
    y += linear.m * linear.n * code_bytes(product.y_dtype);
  }
}

// The same by panels: parts take rows of a, or, where these are few, columns of the weights.
void run_linear_panels(const IntLinear& linear, const KernelIo& io) {
  const Product& product = linear.product;
  const kernels::PanelShape shape = kernels::panel_shape();
  ScratchParts parts(io.scratch.data());
  auto* panel = parts.take<std::int32_t>(product.packed.k_groups * shape.columns);
  const bool splits_rows = linear.m >= 4 * io.num_parts * shape.columns;
  constexpr std::int64_t kColumnGranule = 16;
  const Share rows = splits_rows ? share_of(io, linear.m, shape.columns) : Share{0, linear.m};
  const Share columns = splits_rows ? Share{0, linear.n} : share_of(io, linear.n, kColumnGranule);
  std::byte* y = io.outputs[0].bytes;
  for (const MatrixPair& pair : linear.pairs) {
    const kernels::CodeMatrix a{.codes = io.inputs[0].bytes + pair.a * code_bytes(linear.a.dtype),
                                .dtype = linear.a.dtype,
                                .k_step = linear.a.column_step,
                                .column_step = linear.a.row_step,
                                .centre = linear.a.centre.centre};
    for (std::int64_t first = rows.begin; first < rows.end; first += shape.columns) {
      const std::int64_t count = std::min(shape.columns, rows.end - first);
      kernels::pack_panel(a, product.packed.group, product.plan.k, first, count, shape.padded(count), panel);
      multiply_panel(product, pair.b + columns.begin, columns.end - columns.begin, panel, count,
                     {.codes = y + (first * linear.n + columns.begin) * code_bytes(product.y_dtype),
                      .row_step = 1,
                      .column_step = linear.n},
                     io.scratch.subspan(parts.used()));
    }
    y += linear.m * linear.n * code_bytes(product.y_dtype);
  }
}

Prepared prepare_linear_panels(const std::shared_ptr<const IntLinear>& linear) {
  ScratchParts parts;
  parts.take<std::int32_t>(linear->product.packed.k_groups * kernels::panel_shape().columns);
  return {.run = [linear](const KernelIo& io) -> Result<void> {
            run_linear_panels(*linear, io);
            return {};
          },
          .scratch_bytes = parts.used() + multiply_panel_scratch_bytes(),
          .clamps = true,
          .splits = true};
}

struct Plan {
  std::int64_t columns = 0;  // Of b, at a time.
  std::int64_t rows = 0;     // Of a, at a time.
};

struct Buffers {
  std::int16_t* left = nullptr;          // [rows][k_pairs][2].
  std::int64_t* row_start = nullptr;     // [rows].
  std::int16_t* right = nullptr;         // [k_pairs][columns][2].
  std::int64_t* column_start = nullptr;  // [columns].
  Sums sums;
};

Buffers take_buffers(const SumPlan& sums, const Plan& plan, ScratchParts& parts) {
  Buffers buffers;
  buffers.left = parts.take<std::int16_t>(plan.rows * 2 * sums.k_pairs);
  buffers.row_start = parts.take<std::int64_t>(plan.rows);
  buffers.right = parts.take<std::int16_t>(2 * sums.k_pairs * plan.columns);
  buffers.column_start = parts.take<std::int64_t>(plan.columns);
  buffers.sums = take_sums(sums, plan.rows, plan.columns, parts);
  return buffers;
}

// Rows [first, first + count) of a, centred, as pairs along k.
void pack_left(const IntMatMul& mm, const std::byte* a, std::int64_t first, std::int64_t count, std::int16_t* left) {
  const std::int64_t k = mm.plan.k;
  for (std::int64_t row = first; row < first + count; ++row, left += 2 * mm.plan.k_pairs) {
    const std::byte* from = a + row * mm.a.row_step * code_bytes(mm.a.dtype);
    if (mm.a.column_step == 1) {
      kernels::centre_codes(from, mm.a.dtype, k, mm.a.centre.centre, left);
    } else {
      for (std::int64_t i = 0; i < k; ++i) {
        kernels::centre_codes(from + i * mm.a.column_step * code_bytes(mm.a.dtype), mm.a.dtype, 1, mm.a.centre.centre,
                              left + i);
      }
    }
    if (k % 2 != 0) left[k] = 0;
  }
}

// With a = a' + da and b = b' + db: sum a b = sum a' b' + da sum b' + db sum a' + k da db. The centred zeros are
// -da and -db.
void start_columns(const IntMatMul& mm, std::int64_t n, const Buffers& buffers) {
  std::fill_n(buffers.column_start, n, mm.plan.k * mm.a.centre.zero * mm.b.centre.zero);
  for (std::int64_t k = 0; k < mm.plan.k; ++k) {
    const std::int16_t* b = buffers.right + k / 2 * 2 * n + k % 2;
    for (std::int64_t i = 0; i < n; ++i) buffers.column_start[i] -= std::int64_t{mm.a.centre.zero} * b[2 * i];
  }
}

void start_rows(const IntMatMul& mm, std::int64_t rows, const Buffers& buffers) {
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t sum = 0;
    for (std::int64_t k = 0; k < mm.plan.k; ++k) sum += buffers.left[row * 2 * mm.plan.k_pairs + k];
    buffers.row_start[row] = -sum * mm.b.centre.zero;
  }
}

void add_starts(std::int64_t rows, std::int64_t n, const Buffers& buffers) {
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t* sums = buffers.sums.wide + row * n;
    for (std::int64_t i = 0; i < n; ++i) sums[i] += buffers.row_start[row] + buffers.column_start[i];
  }
}

void run_matmul(const IntMatMul& mm, const Plan& plan, const KernelIo& io) {
  ScratchParts parts(io.scratch.data());
  const Buffers buffers = take_buffers(mm.plan, plan, parts);
  const bool has_starts = mm.a.centre.zero != 0 || mm.b.centre.zero != 0;
  std::byte* y = io.outputs[0].bytes;
  for (const MatrixPair& pair : mm.pairs) {
    const std::byte* a = io.inputs[0].bytes + pair.a * code_bytes(mm.a.dtype);
    const kernels::CodeMatrix b{.codes = io.inputs[1].bytes + pair.b * code_bytes(mm.b.dtype),
                                .dtype = mm.b.dtype,
                                .k_step = mm.b.row_step,
                                .column_step = mm.b.column_step,
                                .centre = mm.b.centre.centre};
    for (std::int64_t first = 0; first < mm.n; first += plan.columns) {
      const std::int64_t n = std::min(plan.columns, mm.n - first);
      kernels::pack_columns(b, mm.plan.k, first, n, buffers.right);
      if (has_starts) start_columns(mm, n, buffers);
      for (std::int64_t row = 0; row < mm.m; row += plan.rows) {
        const std::int64_t rows = std::min(plan.rows, mm.m - row);
        pack_left(mm, a, row, rows, buffers.left);
        sum_products(mm.plan, {.pairs = buffers.left, .plain = nullptr, .rows = rows}, buffers.right, n, buffers.sums);
        if (has_starts) {
          start_rows(mm, rows, buffers);
          add_starts(rows, n, buffers);
        }
        for (std::int64_t i = 0; i < rows; ++i) {
          finish_row(mm.plan, buffers.sums, i, n, 0, mm.requantizer, mm.y_dtype,
                     y + ((row + i) * mm.n + first) * code_bytes(mm.y_dtype));
        }
      }
    }
    y += mm.m * mm.n * code_bytes(mm.y_dtype);
  }
}

}  // namespace

Prepared prepare_int_linear(IntLinear given) {
  const auto linear = std::make_shared<const IntLinear>(std::move(given));
  if (linear->product.is_packed()) return prepare_linear_panels(linear);
  const SumPlan& sums = linear->product.plan;
  const std::int64_t tile = product_columns(linear->m, sums.k_pairs);
  ScratchParts parts;
  parts.take<std::int16_t>(2 * sums.k_pairs * tile);
  return {.run = [linear, tile](const KernelIo& io) -> Result<void> {
            run_linear(*linear, tile, io);
            return {};
          },
          .scratch_bytes = parts.used() + multiply_scratch_bytes(sums, tile, true),
          .clamps = true};
}

Prepared prepare_int_matmul(IntMatMul given) {
  const auto matmul = std::make_shared<const IntMatMul>(std::move(given));
  const SumPlan& sums = matmul->plan;
  Plan plan;
  plan.columns = product_columns(matmul->n, sums.k_pairs);
  const std::int64_t row_bytes =
      std::max<std::int64_t>(1, 2 * sums.k_pairs) * static_cast<std::int64_t>(sizeof(std::int16_t));
  plan.rows = std::clamp<std::int64_t>(kLeftBytes / row_bytes, 1, std::min(strip_rows(plan.columns), matmul->m));
  ScratchParts parts;
  take_buffers(sums, plan, parts);
  return {.run = [matmul, plan](const KernelIo& io) -> Result<void> {
            run_matmul(*matmul, plan, io);
            return {};
          },
          .scratch_bytes = parts.used(),
          .clamps = true};
}

}  // namespace halfstep::ops
