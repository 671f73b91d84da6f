// matmul.cpp: MatMul and Gemm: shapes, and the list of the family.
#include "ops/linear/matmul.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "core/errors.hpp"
#include "ops/families.hpp"
#include "ops/linear/matmul_int.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

// float32, or an integer type of at least 32 bits: what the standard allows.
Result<DType> common_dtype(const NodeArgs& args) {
  const DType dtype = args.type(0).dtype;
  switch (dtype) {
    case DType::kFloat32:
    case DType::kInt32:
    case DType::kInt64:
    case DType::kUint32:
    case DType::kUint64:
      break;
    default:
      return Error{ErrorCode::kUnsupported,
                   "operands are " + std::string(name_of(dtype)) + ", expected float32 or an integer of 32 or 64 bits"};
  }
  for (std::size_t i = 1; i < args.num_inputs(); ++i) {
    if (args.has(i) && args.type(i).dtype != dtype) {
      return invalid("operand " + std::to_string(i) + " is " + std::string(name_of(args.type(i).dtype)) +
                     ", operand 0 is " + std::string(name_of(dtype)));
    }
  }
  return dtype;
}

Result<Inferred> one_output(DType dtype, const Shape& shape) {
  if (auto checked = check_shape(shape, dtype); !checked.ok()) return checked.error();
  return Inferred::one({dtype, shape});
}

// Offsets, in matrices, of operand `shape` for every matrix of the broadcast batch.
std::vector<std::int64_t> batch_offsets(const Shape& batch, const Shape& operand, int num_matrix_axes) {
  const int operand_batch_rank = std::max(0, operand.rank() - num_matrix_axes);
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(batch.num_elements()));
  std::vector<std::int64_t> steps(static_cast<std::size_t>(batch.rank()), 0);
  std::int64_t step = 1;
  for (int i = operand_batch_rank - 1; i >= 0; --i) {
    const auto axis = static_cast<std::size_t>(batch.rank() - operand_batch_rank + i);
    steps[axis] = operand[i] == 1 ? 0 : step;
    step *= operand[i];
  }
  std::vector<std::int64_t> index(steps.size(), 0);
  std::int64_t offset = 0;
  for (std::int64_t& entry : offsets) {
    entry = offset;
    for (int axis = batch.rank() - 1; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      offset += steps[a];
      if (++index[a] < batch[axis]) break;
      offset -= steps[a] * batch[axis];
      index[a] = 0;
    }
  }
  return offsets;
}

Result<Inferred> infer_matmul(const NodeArgs& args) {
  const Result<MatMulGeometry> geometry = matmul_geometry(args);
  if (!geometry.ok()) return geometry.error();
  return one_output(geometry->dtype, geometry->output);
}

Result<Inferred> infer_gemm(const NodeArgs& args) {
  const Result<GemmGeometry> geometry = gemm_geometry(args);
  if (!geometry.ok()) return geometry.error();
  return one_output(geometry->dtype, Shape{geometry->m, geometry->n});
}

int matmul_output_axis(const graph::Node&, const Shape& weight) { return weight.rank() >= 2 ? weight.rank() - 1 : -1; }
int matmul_input_axis(const graph::Node&, const Shape& weight) { return weight.rank() >= 2 ? weight.rank() - 2 : 0; }

int gemm_output_axis(const graph::Node& node, const Shape&) {
  return node.attributes.get_int("transB", 0) != 0 ? 0 : 1;
}
int gemm_input_axis(const graph::Node& node, const Shape& weight) { return 1 - gemm_output_axis(node, weight); }

constexpr std::array kOps = {
    OpDef{.type = "Gemm",
          .since_opset = 11,
          .operand_count = {2, 3},
          .output_rule = OutputRule::kObserved,
          .has_integer_form = true,
          .operands = kLinearRoles,
          .channels = {.weight_output_axis = &gemm_output_axis, .weight_input_axis = &gemm_input_axis},
          .infer = &infer_gemm,
          .lower_float = &lower_gemm,
          .lower_fixed = &lower_gemm_fixed},
    OpDef{.type = "MatMul",
          .since_opset = 1,
          .operand_count = {2, 2},
          .output_rule = OutputRule::kObserved,
          .has_integer_form = true,
          .operands = {{OperandRole::kData, OperandRole::kWeight, OperandRole::kPlain}},
          .channels = {.weight_output_axis = &matmul_output_axis,
                       .weight_input_axis = &matmul_input_axis,
                       .with_bias = "Gemm"},
          .infer = &infer_matmul,
          .lower_float = &lower_matmul,
          .lower_fixed = &lower_matmul_fixed},
};

}  // namespace

Result<MatMulGeometry> matmul_geometry(const NodeArgs& args) {
  const Result<DType> dtype = common_dtype(args);
  if (!dtype.ok()) return dtype.error();
  const Shape& a = args.shape(0);
  const Shape& b = args.shape(1);
  if (a.rank() == 0 || b.rank() == 0) return invalid("an operand is a scalar, expected at least one axis");
  MatMulGeometry g;
  g.dtype = *dtype;
  g.m = a.rank() == 1 ? 1 : a[a.rank() - 2];
  g.k = a[a.rank() - 1];
  g.n = b.rank() == 1 ? 1 : b[b.rank() - 1];
  const std::int64_t b_rows = b.rank() == 1 ? b[0] : b[b.rank() - 2];
  if (b_rows != g.k) {
    return invalid("operand shapes " + to_string(a) + " and " + to_string(b) + " do not fit: " + std::to_string(g.k) +
                   " columns against " + std::to_string(b_rows) + " rows");
  }
  const Shape a_batch(a.dims().first(static_cast<std::size_t>(std::max(0, a.rank() - 2))));
  const Shape b_batch(b.dims().first(static_cast<std::size_t>(std::max(0, b.rank() - 2))));
  Result<Shape> batch = broadcast(a_batch, b_batch);
  if (!batch.ok()) return batch.error();
  g.batch = *std::move(batch);
  g.output = g.batch;
  if (a.rank() > 1) g.output.push_back(g.m);
  if (b.rank() > 1) g.output.push_back(g.n);
  return g;
}

std::vector<MatrixPair> matrix_pairs(const MatMulGeometry& g, const Shape& a, const Shape& b) {
  const std::vector<std::int64_t> a_offsets = batch_offsets(g.batch, a, 2);
  const std::vector<std::int64_t> b_offsets = batch_offsets(g.batch, b, 2);
  std::vector<MatrixPair> pairs(a_offsets.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {a_offsets[i] * g.m * g.k, b_offsets[i] * g.k * g.n};
  return pairs;
}

Result<GemmGeometry> gemm_geometry(const NodeArgs& args) {
  const Result<DType> dtype = common_dtype(args);
  if (!dtype.ok()) return dtype.error();
  const Shape& a = args.shape(0);
  const Shape& b = args.shape(1);
  if (a.rank() != 2 || b.rank() != 2) {
    return invalid("operands have shapes " + to_string(a) + " and " + to_string(b) + ", expected matrices");
  }
  GemmGeometry g;
  g.dtype = *dtype;
  g.transpose_a = args.attributes().get_int("transA", 0) != 0;
  g.transpose_b = args.attributes().get_int("transB", 0) != 0;
  g.alpha = args.attributes().get_float("alpha", 1.0F);
  g.beta = args.attributes().get_float("beta", 1.0F);
  g.m = a[g.transpose_a ? 1 : 0];
  g.k = a[g.transpose_a ? 0 : 1];
  g.n = b[g.transpose_b ? 0 : 1];
  const std::int64_t b_rows = b[g.transpose_b ? 1 : 0];
  if (b_rows != g.k) {
    return invalid("operand shapes " + to_string(a) + " and " + to_string(b) + " do not fit: " + std::to_string(g.k) +
                   " against " + std::to_string(b_rows) + " to sum over");
  }
  if (g.dtype != DType::kFloat32) {
    for (const float factor : {g.alpha, g.beta}) {
      // The bound keeps the conversion to an integer defined.
      if (!(factor >= -16777216.0F && factor <= 16777216.0F) ||
          factor != static_cast<float>(static_cast<std::int64_t>(factor))) {
        return Error{ErrorCode::kUnsupported, "alpha and beta must be whole numbers for integer operands"};
      }
    }
  }
  if (args.has(2)) {
    const Shape& c = args.shape(2);
    const std::int64_t c_columns = c.rank() >= 1 ? c[c.rank() - 1] : 1;
    const std::int64_t c_rows = c.rank() >= 2 ? c[c.rank() - 2] : 1;
    if (c.rank() > 2 || (c_columns != 1 && c_columns != g.n) || (c_rows != 1 && c_rows != g.m)) {
      return invalid("operand C has shape " + to_string(c) + ", which does not broadcast to [" + std::to_string(g.m) +
                     ", " + std::to_string(g.n) + "]");
    }
    g.c_column_step = c_columns == 1 ? 0 : 1;
    g.c_row_step = c_rows == 1 ? 0 : c_columns;
  }
  return g;
}

std::span<const OpDef> matmul_ops() { return kOps; }

}  // namespace halfstep::ops
