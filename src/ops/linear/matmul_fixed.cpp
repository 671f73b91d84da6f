// matmul_fixed.cpp: MatMul and Gemm from encodings to integers.
#include <string>
#include <utility>

#include "core/errors.hpp"
#include "ops/linear/matmul_int.hpp"
#include "ops/linear/product_weights.hpp"
#include "ops/shared/fixed_support.hpp"

namespace halfstep::ops {
namespace {

// What both operators demand of both operands and the output.
Result<void> require_matrix_encodings(const FixedArgs& args) {
  if (auto encoded = require_encodings(args, 2); !encoded.ok()) return encoded.error();
  if (auto plain = require_per_tensor(*args.input_encoding(0), "operand 0"); !plain.ok()) return plain.error();
  if (args.code(1) == nullptr) {
    if (auto plain = require_per_tensor(*args.input_encoding(1), "operand 1"); !plain.ok()) return plain.error();
    if (auto plain = require_per_tensor(*args.output_encoding(), "the output"); !plain.ok()) return plain.error();
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (auto fits = require_short_codes(*args.input_encoding(i), "operand " + std::to_string(i)); !fits.ok()) {
      return fits.error();
    }
  }
  return args.code(1) == nullptr ? require_short_codes(*args.output_encoding(), "the output") : Result<void>();
}

CodeOperand operand_of(const Encoding& encoding, std::int64_t row_step, std::int64_t column_step) {
  return {.dtype = storage_dtype(encoding.grid()),
          .centre = centre_of(encoding),
          .row_step = row_step,
          .column_step = column_step};
}

std::string describe(std::string_view kind, std::int64_t m, std::int64_t k, std::int64_t n) {
  return std::string(kind) + " [" + std::to_string(m) + ", " + std::to_string(k) + "] x [" + std::to_string(k) + ", " +
         std::to_string(n) + "]";
}

Result<FixedForm> finish_linear(const FixedArgs& args, const ProductSpec& spec, IntLinear linear) {
  Result<BuiltProduct> built = build_product(args, spec);
  if (!built.ok()) return built.error();
  FixedForm form;
  form.facts = std::move(built->facts);
  form.facts.kernel = describe("product with constant weights", linear.m, spec.k, linear.n);
  form.replaced_operands = constant_codes(args, 1);
  linear.product = std::move(built->product);
  form.prepared = prepare_int_linear(std::move(linear));
  return form;
}

Result<FixedForm> finish_matmul(const FixedArgs& args, std::int64_t k, double alpha, IntMatMul mm) {
  if (args.node.clamp && args.node.clamp->channels) return unsupported("a clamp with bounds for each channel");
  const Encoding& a = *args.input_encoding(0);
  const Encoding& b = *args.input_encoding(1);
  FixedForm form;
  AccumulatorProof& proof = form.facts.accumulator;
  proof.worst_case = static_cast<std::uint64_t>(k) * static_cast<std::uint64_t>(centred_range(a).largest_magnitude()) *
                     static_cast<std::uint64_t>(centred_range(b).largest_magnitude());
  proof.bits = proof.worst_case <= static_cast<std::uint64_t>(kMaxAccumulator32) ? 32 : 64;
  if (proof.bits == 64 && args.options.accumulator_bits == 32) {
    return unsupported("the sums of two activations may exceed 32-bit accumulators");
  }
  const double acc_scale = alpha * a.params()[0].scale * b.params()[0].scale;
  const Result<numerics::Requantizer> requantizer =
      alpha == 1.0 ? output_requantizer(args, acc_scale) : output_requantizer_plain(args, acc_scale);
  if (!requantizer.ok()) return requantizer.error();
  const bool has_starts = mm.a.centre.zero != 0 || mm.b.centre.zero != 0;
  mm.plan = plan_sums(k, fed_range(a), fed_range(b), proof.bits, !has_starts);
  mm.requantizer = *requantizer;
  mm.y_dtype = storage_dtype(args.output_encoding()->grid());
  form.facts.kernel = describe("product of activations", mm.m, k, mm.n);
  form.facts.factors = {requantizer->factor};
  form.replaced_operands = constant_codes(args, 2);
  form.prepared = prepare_int_matmul(std::move(mm));
  return form;
}

}  // namespace

Result<FixedForm> lower_matmul_fixed(const FixedArgs& args) {
  const Result<MatMulGeometry> geometry = matmul_geometry(args);
  if (!geometry.ok()) return geometry.error();
  MatMulGeometry g = *geometry;
  if (g.dtype != DType::kFloat32) return unsupported("operands are no real numbers");
  if (auto checked = require_matrix_encodings(args); !checked.ok()) return checked.error();
  if (g.output.num_elements() == 0) return empty_fixed_form();
  const Shape& a = args.shape(0);
  const Shape& b = args.shape(1);
  std::vector<MatrixPair> pairs;
  if (b.num_elements() == g.k * g.n && a.num_elements() == g.batch.num_elements() * g.m * g.k) {
    // One right-hand matrix for the whole batch: the left ones are one tall matrix.
    g.m *= g.batch.num_elements();
    pairs = {MatrixPair{0, 0}};
  } else {
    pairs = matrix_pairs(g, a, b);
  }
  const CodeOperand left = operand_of(*args.input_encoding(0), g.k, 1);
  if (args.code(1) == nullptr) {
    return finish_matmul(args, g.k, 1.0,
                         {.plan = {},
                          .a = left,
                          .b = operand_of(*args.input_encoding(1), g.n, 1),
                          .m = g.m,
                          .n = g.n,
                          .pairs = std::move(pairs),
                          .requantizer = {},
                          .y_dtype = DType::kUint8});
  }
  const int column_axis = b.rank() > 1 ? g.output.rank() - 1 : -1;
  if (auto fits = require_channel_axis(*args.output_encoding(), column_axis, g.n, "the output"); !fits.ok()) {
    return fits.error();
  }
  const std::int64_t k = g.k;
  const std::int64_t n = g.n;
  // Rows of the product come matrix by matrix: k * n weights make n rows.
  for (MatrixPair& pair : pairs) pair.b = k == 0 ? 0 : pair.b / k;
  ProductSpec spec;
  spec.rows = k == 0 ? n : b.num_elements() / k;
  spec.k = k;
  spec.packing = Packing::kAny;
  spec.row_offset = [=](std::int64_t row) { return row / n * k * n + row % n; };
  for (std::int64_t i = 0; i < k; ++i) spec.k_offsets.push_back(i * n);
  spec.output_entry = [=](std::int64_t channel) { return static_cast<std::size_t>(channel % n); };
  return finish_linear(args, spec, {.product = {}, .a = left, .m = g.m, .n = n, .pairs = std::move(pairs)});
}

Result<FixedForm> lower_gemm_fixed(const FixedArgs& args) {
  const Result<GemmGeometry> geometry = gemm_geometry(args);
  if (!geometry.ok()) return geometry.error();
  const GemmGeometry g = *geometry;
  if (g.dtype != DType::kFloat32) return unsupported("operands are no real numbers");
  if (auto checked = require_matrix_encodings(args); !checked.ok()) return checked.error();
  if (g.m == 0 || g.n == 0) return empty_fixed_form();
  const CodeOperand left = operand_of(*args.input_encoding(0), g.transpose_a ? 1 : g.k, g.transpose_a ? g.m : 1);
  if (args.code(1) == nullptr) {
    if (args.has(2)) return unsupported("a bias is added to the product of two activations");
    if (!(g.alpha > 0.0F)) return unsupported("alpha is not positive");
    return finish_matmul(args, g.k, static_cast<double>(g.alpha),
                         {.plan = {},
                          .a = left,
                          .b = operand_of(*args.input_encoding(1), g.transpose_b ? 1 : g.n, g.transpose_b ? g.k : 1),
                          .m = g.m,
                          .n = g.n,
                          .pairs = {MatrixPair{0, 0}},
                          .requantizer = {},
                          .y_dtype = DType::kUint8});
  }
  if (args.has(2) && g.c_row_step != 0 && g.m > 1) return unsupported("the bias differs from row to row");
  if (auto fits = require_channel_axis(*args.output_encoding(), 1, g.n, "the output"); !fits.ok()) return fits.error();
  ProductSpec spec;
  spec.rows = g.n;
  spec.k = g.k;
  spec.packing = Packing::kAny;
  spec.row_offset = [=](std::int64_t row) { return g.transpose_b ? row * g.k : row; };
  for (std::int64_t i = 0; i < g.k; ++i) spec.k_offsets.push_back(g.transpose_b ? i : i * g.n);
  spec.output_entry = [](std::int64_t channel) { return static_cast<std::size_t>(channel); };
  spec.bias_step = g.c_column_step;
  spec.alpha = static_cast<double>(g.alpha);
  spec.beta = static_cast<double>(g.beta);
  return finish_linear(args, spec, {.product = {}, .a = left, .m = g.m, .n = g.n, .pairs = {MatrixPair{0, 0}}});
}

}  // namespace halfstep::ops
