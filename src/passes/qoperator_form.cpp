// qoperator_form.cpp: the operators of the QOperator format, as ONNX and ONNX Runtime define them.
#include "passes/qoperator_form.hpp"

#include <algorithm>
#include <array>

#include "passes/qdq_grid.hpp"

namespace halfstep::passes {
namespace {

constexpr auto kForms = std::to_array<QOperatorForm>({
    {.op_type = "QGemm",
     .float_type = "Gemm",
     .min_inputs = 6,
     .max_inputs = 9,
     .num_codes = 2,
     .output_scale = 7,
     .bias = 6,
     .may_give_reals = true},
    {.op_type = "QLinearAdd", .float_type = "Add", .min_inputs = 7, .max_inputs = 8, .num_codes = 2, .output_scale = 6},
    {.op_type = "QLinearAveragePool", .float_type = "AveragePool", .min_inputs = 4, .max_inputs = 5},
    {.op_type = "QLinearConcat",
     .float_type = "Concat",
     .min_inputs = 5,
     .max_inputs = 0,
     .first_codes = 2,
     .num_codes = 0,
     .output_scale = 0},
    {.op_type = "QLinearConv",
     .float_type = "Conv",
     .of_onnx = true,
     .min_inputs = 8,
     .max_inputs = 9,
     .num_codes = 2,
     .output_scale = 6,
     .bias = 8},
    {.op_type = "QLinearGlobalAveragePool", .float_type = "GlobalAveragePool", .min_inputs = 4, .max_inputs = 5},
    {.op_type = "QLinearLeakyRelu", .float_type = "LeakyRelu", .min_inputs = 4, .max_inputs = 5},
    {.op_type = "QLinearMatMul",
     .float_type = "MatMul",
     .of_onnx = true,
     .min_inputs = 8,
     .max_inputs = 8,
     .num_codes = 2,
     .output_scale = 6},
    {.op_type = "QLinearMul", .float_type = "Mul", .min_inputs = 7, .max_inputs = 8, .num_codes = 2, .output_scale = 6},
    {.op_type = "QLinearReduceMean", .float_type = "ReduceMean", .min_inputs = 4, .max_inputs = 5},
    {.op_type = "QLinearSigmoid", .float_type = "Sigmoid", .min_inputs = 4, .max_inputs = 5},
    {.op_type = "QLinearSoftmax", .float_type = "Softmax", .min_inputs = 4, .max_inputs = 5},
    {.op_type = "QLinearWhere",
     .float_type = "Where",
     .min_inputs = 9,
     .max_inputs = 9,
     .first_codes = 1,
     .num_codes = 2,
     .output_scale = 7},
});

}  // namespace

std::vector<CodesOperand> QOperatorForm::operands(const graph::Node& node) const {
  const std::size_t count =
      num_codes > 0 || node.inputs.size() < first_codes ? num_codes : (node.inputs.size() - first_codes) / 3;
  std::vector<CodesOperand> found;
  for (std::size_t i = 0; i < count; ++i) found.push_back({first_codes + 3 * i});
  return found;
}

const QOperatorForm* find_qoperator_form(const graph::Node& node) {
  const auto at = std::ranges::find(kForms, node.op_type, &QOperatorForm::op_type);
  if (at == kForms.end()) return nullptr;
  return node.domain == "com.microsoft" || (at->of_onnx && node.domain.empty()) ? &*at : nullptr;
}

bool is_grid_parameter(const graph::Node& node, std::size_t i) {
  if (is_quantize(node) || is_dequantize(node)) return i == 1 || i == 2;
  const QOperatorForm* form = find_qoperator_form(node);
  if (form == nullptr) return false;
  if (i == form->output_scale || i == form->output_scale + 1) return true;
  return std::ranges::any_of(form->operands(node), [i](const CodesOperand& operand) {
    return i == operand.scale() || i == operand.zero_point();
  });
}

}  // namespace halfstep::passes
