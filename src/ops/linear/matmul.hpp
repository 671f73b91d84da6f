// matmul.hpp: what the files of the matrix product family share.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/node_args.hpp"

namespace halfstep::ops {

/// MatMul: [batch..., m, k] times [batch..., k, n], 1-D operands promoted.
struct MatMulGeometry {
  DType dtype = DType::kFloat32;
  Shape batch;  ///< Broadcast of the leading axes.
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  Shape output;
};

/// Where, in elements, the two matrices of one product begin.
struct MatrixPair {
  std::int64_t a;
  std::int64_t b;
};

/// Errors: kInvalidInput if the operands do not fit, kUnsupported for their type.
Result<MatMulGeometry> matmul_geometry(const NodeArgs& args);

/// One pair for each matrix of the batch, in order. `a` and `b` are the operands' shapes.
std::vector<MatrixPair> matrix_pairs(const MatMulGeometry& g, const Shape& a, const Shape& b);

/// Gemm: alpha * A' * B' + beta * C.
struct GemmGeometry {
  DType dtype = DType::kFloat32;
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  float alpha = 1.0F;
  float beta = 1.0F;
  std::int64_t c_row_step = 0;  ///< Element (i, j) of C at i * c_row_step + j * c_column_step.
  std::int64_t c_column_step = 0;
};

/// Errors: as matmul_geometry; kUnsupported for fractional alpha or beta with integers.
Result<GemmGeometry> gemm_geometry(const NodeArgs& args);

/// In matmul_float.cpp; integer element types included.
Result<Prepared> lower_matmul(const LowerArgs& args);
Result<Prepared> lower_gemm(const LowerArgs& args);

}  // namespace halfstep::ops
