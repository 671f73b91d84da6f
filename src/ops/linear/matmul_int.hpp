// matmul_int.hpp: MatMul and Gemm on codes: from scales (matmul_fixed.cpp) to kernels of integers (matmul_int.cpp).
#pragma once

#include <vector>

#include "ops/fixed_form.hpp"
#include "ops/linear/matmul.hpp"
#include "ops/linear/products.hpp"

namespace halfstep::ops {

/// A matrix of codes in an operand: element (row, column) at row * row_step + column * column_step.
struct CodeOperand {
  DType dtype = DType::kUint8;
  Centre centre;
  std::int64_t row_step = 0;
  std::int64_t column_step = 1;
};

/// y[m, n] = a[m, k] * constant weights. Rows of the product: the output columns, of one matrix after another.
struct IntLinear {
  Product product;
  CodeOperand a;
  std::int64_t m = 0;
  std::int64_t n = 0;
  /// By output matrix: where `a` begins in operand 0, in codes, and which row of the product is its first (`b`).
  std::vector<MatrixPair> pairs;
};

/// y[m, n] = a[m, k] * b[k, n], both activations.
struct IntMatMul {
  SumPlan plan;
  CodeOperand a;
  CodeOperand b;
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::vector<MatrixPair> pairs;  ///< By output matrix: where operands begin, in codes.
  numerics::Requantizer requantizer;
  DType y_dtype = DType::kUint8;
};

/// Kernels that read operand 0 (and 1) and write output 0, which is not empty.
Prepared prepare_int_linear(IntLinear linear);
Prepared prepare_int_matmul(IntMatMul matmul);

/// Registered by matmul_ops().
Result<FixedForm> lower_matmul_fixed(const FixedArgs& args);
Result<FixedForm> lower_gemm_fixed(const FixedArgs& args);

}  // namespace halfstep::ops
