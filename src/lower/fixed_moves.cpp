// fixed_moves.cpp: the same kernels that move real numbers move codes.
#include "lower/fixed_moves.hpp"

#include <algorithm>

#include "ops/evaluate.hpp"
#include "ops/op_def.hpp"
#include "ops/shared/fixed_support.hpp"

namespace halfstep::lower {
namespace {

using graph::kNoValue;

/// One code as a tensor of the grid's storage type.
Tensor scalar_code(std::int32_t code, DType dtype) {
  Tensor tensor(TensorType{dtype, Shape{}});
  visit_dtype(dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) *tensor.mutable_data<T>() = static_cast<T>(code);
  });
  return tensor;
}

/// The code of the value at operand `at` that the output is filled with; 0 where the node has no such operand.
Result<Tensor> fill_code(const graph::Node& node, std::size_t at, FloatSteps& steps, const Encoding& grid,
                         DType dtype) {
  double value = 0.0;
  if (node.inputs.size() > at && node.inputs[at] != kNoValue) {
    Result<const Tensor*> known = steps.known_value(node.inputs[at]);
    if (!known.ok()) return known.error();
    if (*known == nullptr || (*known)->dtype() != DType::kFloat32 || (*known)->num_elements() != 1) {
      return Error{ErrorCode::kUnsupported, "the value of the padding is not known before running"};
    }
    value = static_cast<double>((*known)->values<float>()[0]);
  }
  if (value != value) return Error{ErrorCode::kUnsupported, "the value of the padding is NaN"};
  if (grid.axis()) return Error{ErrorCode::kUnsupported, "padding with one value, but a grid for each channel"};
  return scalar_code(ops::code_of(value, grid), dtype);
}

}  // namespace

bool moves_codes(const ops::OpDef& op, const graph::Node& node) {
  const bool keeps_grid =
      op.output_rule == ops::OutputRule::kSameAsInput || op.output_rule == ops::OutputRule::kSameAsInputs;
  return op.has_integer_form && keeps_grid && op.lower_fixed == nullptr && !node.clamp;
}

Result<CodeMove> prepare_code_move(const ops::OpDef& op, const graph::Node& node, FloatSteps& steps,
                                   const Encoding& grid, const std::vector<bool>& on_codes) {
  if (grid.axis() && !op.keeps_channels_apart) {
    return Error{ErrorCode::kUnsupported, "the tensor has a grid for each channel and the operator mixes channels"};
  }
  CodeMove move;
  const DType dtype = storage_dtype(grid.grid());
  const std::optional<std::size_t> fills = op.fill_operand == nullptr ? std::nullopt : op.fill_operand(node);
  const std::size_t fill_at = fills.value_or(0);
  graph::Node shown = node;  // As the kernel sees it: the fill's operand is there even where the file left it out.
  std::optional<Tensor> fill;
  if (fills) {
    Result<Tensor> code = fill_code(node, fill_at, steps, grid, dtype);
    if (!code.ok()) return code.error();
    fill = *std::move(code);
    shown.inputs.resize(std::max(shown.inputs.size(), fill_at + 1), kNoValue);
  }
  std::vector<TensorType> types(shown.inputs.size());
  std::vector<const TensorType*> type_pointers(shown.inputs.size(), nullptr);
  std::vector<const Tensor*> values(shown.inputs.size(), nullptr);
  move.replaced_operands.resize(shown.inputs.size());
  for (std::size_t i = 0; i < shown.inputs.size(); ++i) {
    if (fill && i == fill_at) {
      move.replaced_operands[i] = *fill;
      types[i] = fill->type();
      values[i] = &*move.replaced_operands[i];
    } else if (shown.inputs[i] == kNoValue) {
      continue;
    } else {
      types[i] = *steps.fact(shown.inputs[i]).type;
      if (on_codes[i]) {
        types[i].dtype = dtype;
      } else {
        Result<const Tensor*> value = steps.known_value(shown.inputs[i]);
        if (!value.ok()) return value.error();
        values[i] = *value;
      }
    }
    type_pointers[i] = &types[i];
  }
  const ops::NodeArgs args{shown, type_pointers, values};
  Result<ops::Inferred> inferred = ops::checked_infer(op, args);
  if (!inferred.ok()) return Error{ErrorCode::kUnsupported, "codes cannot be moved: " + inferred.error().message};
  if (inferred->data_dependent) return Error{ErrorCode::kUnsupported, "the output's shape depends on data"};
  move.outputs = inferred->outputs;
  move.outputs.resize(node.outputs.size());
  Result<ops::Prepared> prepared = op.lower_float(ops::LowerArgs{{shown, type_pointers, values}, move.outputs});
  if (!prepared.ok()) return Error{ErrorCode::kUnsupported, "codes cannot be moved: " + prepared.error().message};
  move.prepared = *std::move(prepared);
  return move;
}

}  // namespace halfstep::lower
