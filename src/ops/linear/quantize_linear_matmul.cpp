// quantize_linear_matmul.cpp: MatMulInteger and QLinearMatMul, as plain reference loops.
#include <algorithm>
#include <string>
#include <vector>

#include "ops/linear/matmul.hpp"
#include "ops/op_def.hpp"
#include "ops/shared/broadcast.hpp"
#include "ops/shared/quantize_linear.hpp"

namespace halfstep::ops {
namespace {

constexpr DTypeSet kByteTypes{DType::kInt8, DType::kUint8};

/// The operands' positions.
struct Roles {
  std::size_t b = 1;
  std::size_t a_zero_point = 2;
  std::size_t b_zero_point = 3;
};
constexpr Roles kMatMulIntegerRoles{};
constexpr Roles kQLinearRoles{.b = 3, .a_zero_point = 2, .b_zero_point = 5};

/// A matrix operand's shape with both matrix axes: [k] is [1, k] on the left and [k, 1] on the right.
Shape matrix_shape(const Shape& shape, bool left) {
  if (shape.rank() != 1) return shape;
  return left ? Shape{1, shape[0]} : Shape{shape[0], 1};
}

/// A grid operand's shape as it broadcasts: a vector runs over rows on the left, over columns on the right.
Shape grid_shape(const Shape& shape, bool left) {
  if (shape.rank() != 1 || shape[0] == 1) return shape;
  return left ? Shape{shape[0], 1} : shape;
}

/// A row of the result has one parameter on the left, a column one on the right.
Result<void> check_grid(const NodeArgs& args, std::size_t i, const Shape& whole, bool left, const char* role) {
  if (!args.has(i) || args.shape(i).num_elements() == 1) return {};
  const Shape grid = grid_shape(args.shape(i), left);
  const Result<Shape> common = broadcast(whole, grid);
  const bool along_k = grid.rank() >= 1 && (left               ? grid[grid.rank() - 1]
                                            : grid.rank() >= 2 ? grid[grid.rank() - 2]
                                                               : 1) != 1;
  if (common.ok() && *common == whole && !along_k) return {};
  return Error{ErrorCode::kInvalidInput, std::string(role) + " has shape " + to_string(args.shape(i)) +
                                             ", which fits no " + (left ? "row" : "column") + " of " +
                                             to_string(whole)};
}

Result<MatMulGeometry> integer_geometry(const NodeArgs& args, const Roles& roles) {
  for (const std::size_t i : {std::size_t{0}, roles.b}) {
    if (const auto ok = check_dtype(args, i, kByteTypes); !ok.ok()) return ok.error();
    // Both are widened to 32 bits in scratch memory.
    if (const auto ok = check_shape(args.shape(i), DType::kInt32); !ok.ok()) return ok.error();
  }
  const FloatLikeArgs real(args, roles.b);
  Result<MatMulGeometry> g = matmul_geometry(real.args());
  if (!g.ok()) return g;
  if (const auto ok = check_shape(g->output, DType::kInt32); !ok.ok()) return ok.error();
  if (args.has(roles.a_zero_point)) {
    if (const auto ok = check_same_dtype(args, 0, roles.a_zero_point); !ok.ok()) return ok.error();
    const Shape whole = matrix_shape(args.shape(0), true);
    const auto ok = check_grid(args, roles.a_zero_point, whole, true, "left zero point");
    if (!ok.ok()) return ok.error();
  }
  if (args.has(roles.b_zero_point)) {
    if (const auto ok = check_same_dtype(args, roles.b, roles.b_zero_point); !ok.ok()) return ok.error();
    const Shape whole = matrix_shape(args.shape(roles.b), false);
    const auto ok = check_grid(args, roles.b_zero_point, whole, false, "right zero point");
    if (!ok.ok()) return ok.error();
  }
  return g;
}

/// wide = q - zero_point, element by element.
void subtract_zero_point(const BroadcastPlan& plan, const ConstView& q, const ConstView& zero_point,
                         std::int32_t* wide) {
  plan.for_each_row([&](std::int64_t at, const std::array<std::int64_t, BroadcastPlan::kMaxOperands>& from) {
    for (std::int64_t i = 0; i < plan.inner; ++i) {
      wide[at + i] = integer_at(q, from[0] + i * plan.inner_strides[0]) -
                     integer_at(zero_point, from[1] + i * plan.inner_strides[1]);
    }
  });
}

/// Everything fixed before a product runs.
struct Product {
  Product(const NodeArgs& args, const Roles& where, MatMulGeometry g)
      : roles(where),
        geometry(std::move(g)),
        pairs(result_count() == 0 ? std::vector<MatrixPair>()
                                  : matrix_pairs(geometry, args.shape(0), args.shape(roles.b))),
        a_plan(widening_plan(args, 0, roles.a_zero_point, true)),
        b_plan(widening_plan(args, roles.b, roles.b_zero_point, false)) {}

  static BroadcastPlan widening_plan(const NodeArgs& args, std::size_t q, std::size_t zero_point, bool left) {
    const Shape whole = matrix_shape(args.shape(q), left);
    // A single zero point may come with any rank.
    const bool single = !args.has(zero_point) || args.shape(zero_point).num_elements() == 1;
    return plan_broadcast(whole, whole, single ? Shape{} : grid_shape(args.shape(zero_point), left));
  }

  std::int64_t result_count() const { return geometry.output.num_elements(); }
  std::size_t widened_bytes() const {
    return static_cast<std::size_t>(a_plan.count + b_plan.count) * sizeof(std::int32_t);
  }

  /// Sums wrap. `scratch` holds widened_bytes().
  void run(const KernelIo& io, std::byte* scratch, std::int32_t* result) const {
    auto* a = reinterpret_cast<std::int32_t*>(scratch);
    std::int32_t* b = a + a_plan.count;
    const auto optional = [&io](std::size_t i) { return i < io.inputs.size() ? io.inputs[i] : ConstView{}; };
    subtract_zero_point(a_plan, io.inputs[0], optional(roles.a_zero_point), a);
    subtract_zero_point(b_plan, io.inputs[roles.b], optional(roles.b_zero_point), b);
    std::fill_n(result, result_count(), 0);
    const auto [m, n, k] = std::array{geometry.m, geometry.n, geometry.k};
    for (const MatrixPair& pair : pairs) {
      for (std::int64_t i = 0; i < m; ++i, result += n) {
        for (std::int64_t l = 0; l < k; ++l) {
          const auto left = static_cast<std::uint32_t>(a[pair.a + i * k + l]);
          const std::int32_t* row = b + pair.b + l * n;
          for (std::int64_t j = 0; j < n; ++j) {
            result[j] = static_cast<std::int32_t>(static_cast<std::uint32_t>(result[j]) +
                                                  left * static_cast<std::uint32_t>(row[j]));
          }
        }
      }
    }
  }

  Roles roles;
  MatMulGeometry geometry;
  std::vector<MatrixPair> pairs;
  BroadcastPlan a_plan;
  BroadcastPlan b_plan;
};

Result<Inferred> infer_matmul_integer(const NodeArgs& args) {
  const Result<MatMulGeometry> g = integer_geometry(args, kMatMulIntegerRoles);
  if (!g.ok()) return g.error();
  return Inferred::one({DType::kInt32, g->output});
}

Result<Prepared> lower_matmul_integer(const LowerArgs& args) {
  Result<MatMulGeometry> g = integer_geometry(args, kMatMulIntegerRoles);
  if (!g.ok()) return g.error();
  Product product(args, kMatMulIntegerRoles, std::move(g).value());
  const std::size_t scratch_bytes = product.widened_bytes();
  return Prepared{.run = [product = std::move(product)](const KernelIo& io) -> Result<void> {
                    if (has_output(io)) product.run(io, io.scratch.data(), io.outputs[0].data<std::int32_t>());
                    return {};
                  },
                  .scratch_bytes = scratch_bytes,
                  .clamps = false};
}

/// The result with both matrix axes, over which the scales broadcast.
Shape full_result(const MatMulGeometry& g) {
  Shape shape = g.batch;
  shape.push_back(g.m);
  shape.push_back(g.n);
  return shape;
}

Result<Inferred> infer_qlinear_matmul(const NodeArgs& args) {
  for (const std::size_t i : {1U, 4U, 6U}) {
    if (const auto ok = check_dtype(args, i, kFloatOnly); !ok.ok()) return ok.error();
  }
  if (const auto ok = check_dtype(args, 7, kByteTypes); !ok.ok()) return ok.error();
  const Result<MatMulGeometry> g = integer_geometry(args, kQLinearRoles);
  if (!g.ok()) return g.error();
  const Shape full = full_result(*g);
  if (const auto ok = check_grid(args, 1, full, true, "left scale"); !ok.ok()) return ok.error();
  if (const auto ok = check_grid(args, 4, full, false, "right scale"); !ok.ok()) return ok.error();
  if (const auto ok = check_single(args, 6, "output scale"); !ok.ok()) return ok.error();
  if (const auto ok = check_single(args, 7, "output zero point"); !ok.ok()) return ok.error();
  return Inferred::one({args.type(7).dtype, g->output});
}

template <class Y>
void requantize(const BroadcastPlan& plan, const KernelIo& io, const std::int32_t* sums) {
  const float* a_scale = io.inputs[1].data<float>();
  const float* b_scale = io.inputs[4].data<float>();
  const float y_scale = *io.inputs[6].data<float>();
  const std::int32_t y_zero_point = integer_at(io.inputs[7], 0);
  Y* y = io.outputs[0].data<Y>();
  plan.for_each_row([&](std::int64_t at, const std::array<std::int64_t, BroadcastPlan::kMaxOperands>& from) {
    for (std::int64_t i = 0; i < plan.inner; ++i) {
      const float factor =
          a_scale[from[0] + i * plan.inner_strides[0]] * b_scale[from[1] + i * plan.inner_strides[1]] / y_scale;
      y[at + i] = quantize_ratio<Y>(static_cast<float>(sums[at + i]) * factor, y_zero_point);
    }
  });
}

Result<Prepared> lower_qlinear_matmul(const LowerArgs& args) {
  Result<MatMulGeometry> g = integer_geometry(args, kQLinearRoles);
  if (!g.ok()) return g.error();
  const auto scale_shape = [&args](std::size_t i, bool left) {
    return args.shape(i).num_elements() == 1 ? Shape{} : grid_shape(args.shape(i), left);
  };
  const BroadcastPlan scale_plan = plan_broadcast(full_result(*g), scale_shape(1, true), scale_shape(4, false));
  Product product(args, kQLinearRoles, std::move(g).value());
  const std::size_t widened_bytes = product.widened_bytes();
  const std::size_t sum_bytes = static_cast<std::size_t>(product.result_count()) * sizeof(std::int32_t);
  return Prepared{.run = [product = std::move(product), scale_plan, widened_bytes](const KernelIo& io) -> Result<void> {
                    if (!has_output(io)) return {};
                    auto* sums = reinterpret_cast<std::int32_t*>(io.scratch.data() + widened_bytes);
                    product.run(io, io.scratch.data(), sums);
                    if (io.outputs[0].dtype() == DType::kInt8) {
                      requantize<std::int8_t>(scale_plan, io, sums);
                    } else {
                      requantize<std::uint8_t>(scale_plan, io, sums);
                    }
                    return {};
                  },
                  .scratch_bytes = widened_bytes + sum_bytes,
                  .clamps = false};
}

}  // namespace

std::span<const OpDef> integer_matmul_ops() {
  static const OpDef ops[] = {
      {.type = "MatMulInteger",
       .since_opset = 10,
       .operand_count = {2, 4},
       .multiplies_work = true,
       .infer = infer_matmul_integer,
       .lower_float = lower_matmul_integer},
      {.type = "QLinearMatMul",
       .since_opset = 10,
       .operand_count = {8, 8},
       .multiplies_work = true,
       .infer = infer_qlinear_matmul,
       .lower_float = lower_qlinear_matmul},
  };
  return ops;
}

}  // namespace halfstep::ops
