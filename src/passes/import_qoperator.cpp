// import_qoperator.cpp: models whose operators work on integers (QLinearConv, QLinearAdd, ...).
//
//   before:  y_quantized = QLinearConv(x_quantized, sx, zx, w_quantized, sw, zw, sy, zy, bias)
//   after:   y = Conv(DQ(x_quantized, sx, zx), DQ(w_quantized, sw, zw), DQ(bias, sx * sw))
//            y_quantized = Q(y, sy, zy)
//
// Conditions: scales and zero points are constants. Exactness: the node is
// defined as this formula; what integers make of it belongs to the executor.
#include "passes/import_qoperator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "passes/edit.hpp"
#include "passes/qdq_import.hpp"
#include "passes/qoperator_form.hpp"
#include "passes/qoperator_names.hpp"
#include "passes/qoperator_nodes.hpp"

namespace halfstep::passes {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

/// Scale and zero point of one operand, in the form a Q or DQ takes.
struct Grid {
  ValueId scale = kNoValue;
  ValueId zero_point = kNoValue;
  std::int64_t count = 1;  ///< Grids.
};

class Import {
 public:
  explicit Import(Graph graph) : graph_(std::move(graph)), names_(graph_), types_(graph_.values.size()) {}

  Result<ImportedQOperator> run();

 private:
  Result<void> add(const Node& node);
  Result<void> rewrite(const Node& node, const QOperatorForm& form);
  Result<void> check(const Node& node, const QOperatorForm& form) const;
  Result<Grid> grid_of(const Node& node, std::size_t scale, const std::string& role);
  Result<ValueId> real_operand(const Node& node, const CodesOperand& operand, const std::string& role);
  Result<ValueId> real_bias(const Node& node, const QOperatorForm& form);
  Result<void> add_quantize(const Node& node, const QOperatorForm& form, const Grid& grid, ValueId real);
  ValueId dequantize(const Node& node, ValueId codes, const Grid& grid, std::int64_t axis, const std::string& name);
  ValueId constant(const std::string& name, Tensor tensor);
  bool computed_parameters(const Node& node) const;
  const std::string& name_of_value(ValueId id) const { return graph_.value(id).name; }

  Graph graph_;
  RealNames names_;
  std::vector<std::optional<DType>> types_;  ///< Of integers, where known; by ValueId.
  std::vector<Node> nodes_;
  std::vector<std::string> notes_;
  std::map<std::tuple<ValueId, ValueId, ValueId, std::int64_t>, ValueId> dequantized_;  ///< So each is made once.
};

ValueId Import::constant(const std::string& name, Tensor tensor) {
  const ValueId id = names_.add(graph_, name);
  graph_.value(id).constant = std::move(tensor);
  types_.resize(graph_.values.size());
  return id;
}

/// "has 5 operands", "operand 3 is missing".
Result<void> Import::check(const Node& node, const QOperatorForm& form) const {
  const std::size_t count = node.inputs.size();
  const bool in_threes = form.max_inputs == 0;
  if (count < form.min_inputs || (in_threes ? (count - form.first_codes) % 3 != 0 : count > form.max_inputs)) {
    std::string expected = std::to_string(form.min_inputs);
    if (in_threes) expected = "a scale, a zero point and three for each tensor";
    if (!in_threes && form.max_inputs != form.min_inputs) expected += " to " + std::to_string(form.max_inputs);
    return invalid("has " + std::to_string(count) + " operands, expected " + expected);
  }
  std::vector<std::size_t> needed;
  for (std::size_t i = 0; i < form.first_codes; ++i) needed.push_back(i);
  for (const CodesOperand& operand : form.operands(node)) needed.insert(needed.end(), {operand.codes, operand.scale()});
  if (!form.may_give_reals) needed.push_back(form.output_scale);
  std::erase_if(needed, [&](std::size_t i) { return i == form.output_scale + 1; });
  for (std::size_t i : needed) {
    if (input_of(node, i) == kNoValue) return invalid("operand " + std::to_string(i) + " is missing");
  }
  if (node.outputs.size() != 1 || node.outputs[0] == kNoValue) return invalid("needs one output");
  return {};
}

bool Import::computed_parameters(const Node& node) const {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId id = node.inputs[i];
    if (id != kNoValue && is_grid_parameter(node, i) && graph::constant_of(graph_, id) == nullptr) return true;
  }
  return false;
}

/// Scale at operand `scale`, zero point behind it. A list of one scale or zero
/// point goes with any number of the other.
Result<Grid> Import::grid_of(const Node& node, std::size_t scale, const std::string& role) {
  Grid grid{input_of(node, scale), input_of(node, scale + 1)};
  const Tensor scales = *graph::constant_of(graph_, grid.scale);
  if (scales.dtype() != DType::kFloat32) {
    return invalid(role + " scale is " + std::string(name_of(scales.dtype())) + ", expected float32");
  }
  if (scales.num_elements() == 0) return invalid(role + " scale is empty");
  for (float value : scales.values<float>()) {
    if (!(value > 0.0F) || !std::isfinite(value)) {
      return invalid(role + " scale is " + shown(value) +
                     ", expected a positive finite number; calibrate this tensor again");
    }
  }
  grid.count = scales.num_elements();
  if (grid.count > 1 && scales.shape().rank() > 1) {
    grid.scale = constant(name_of_value(grid.scale) + "_vector", as_vector(scales));
  }
  if (grid.zero_point == kNoValue) return grid;

  const Tensor zero_points = *graph::constant_of(graph_, grid.zero_point);
  if (zero_points.dtype() == DType::kFloat32 || zero_points.dtype() == DType::kBool) {
    return invalid(role + " zero point is " + std::string(name_of(zero_points.dtype())) + ", expected an integer");
  }
  if (zero_points.num_elements() == grid.count) {
    if (grid.count > 1 && zero_points.shape().rank() > 1) {
      grid.zero_point = constant(name_of_value(grid.zero_point) + "_vector", as_vector(zero_points));
    }
    return grid;
  }
  if (zero_points.num_elements() != 1 && grid.count != 1) {
    return invalid(role + " zero point has " + std::to_string(zero_points.num_elements()) +
                   " elements, the scale has " + std::to_string(grid.count));
  }
  if (zero_points.num_elements() == 0) return invalid(role + " zero point is empty");
  const std::int64_t count = std::max(grid.count, zero_points.num_elements());
  if (grid.count == 1) {
    grid.scale = constant(name_of_value(grid.scale) + "_repeated", repeated(scales, count));
  } else {
    grid.zero_point = constant(name_of_value(grid.zero_point) + "_repeated", repeated(zero_points, count));
  }
  grid.count = count;
  return grid;
}

ValueId Import::dequantize(const Node& node, ValueId codes, const Grid& grid, std::int64_t axis,
                           const std::string& name) {
  const auto [known, added] = dequantized_.try_emplace({codes, grid.scale, grid.zero_point, axis}, kNoValue);
  if (!added) return known->second;
  Node made = made_from(node, "DequantizeLinear", {codes, grid.scale});
  if (grid.zero_point != kNoValue) made.inputs.push_back(grid.zero_point);
  if (grid.count > 1) made.attributes.set("axis", axis);
  known->second = names_.add(graph_, name);
  types_.resize(graph_.values.size());
  made.outputs = {known->second};
  nodes_.push_back(std::move(made));
  return known->second;
}

Result<ValueId> Import::real_operand(const Node& node, const CodesOperand& operand, const std::string& role) {
  const ValueId codes = node.inputs[operand.codes];
  Result<Grid> grid = grid_of(node, operand.scale(), role);
  if (!grid.ok()) return grid.error();
  const std::optional<DType> type = types_[index(codes)];
  const Tensor* zero_point = graph::constant_of(graph_, grid->zero_point);
  if (type && zero_point != nullptr && *type != zero_point->dtype()) {
    return invalid(role + " is " + std::string(name_of(*type)) + ", its zero point is " +
                   std::string(name_of(zero_point->dtype())));
  }
  if (type == DType::kFloat32 || type == DType::kInt64 || type == DType::kBool) {
    return invalid(role + " is " + std::string(name_of(*type)) + ", expected int8 or uint8");
  }
  const Result<std::int64_t> axis = channel_axis_of(graph_, node, operand.codes);
  if (grid->count > 1 && !axis.ok()) return axis.error();
  const std::string name = RealNames::without_suffix(name_of_value(codes));
  return dequantize(node, codes, *grid, grid->count > 1 ? *axis : 0,
                    names_.is_free(name) ? name : name_of_value(codes) + "_real");
}

/// The bias stands on the grid of what is summed up: scale_x * scale_w [* alpha], zero point 0.
Result<ValueId> Import::real_bias(const Node& node, const QOperatorForm& form) {
  const ValueId codes = input_of(node, static_cast<std::size_t>(form.bias));
  if (codes == kNoValue) return kNoValue;
  if (types_[index(codes)] && *types_[index(codes)] != DType::kInt32) {
    return invalid("bias is " + std::string(name_of(*types_[index(codes)])) + ", expected int32");
  }
  const std::vector<CodesOperand> operands = form.operands(node);
  const Tensor& x_scale = *graph::constant_of(graph_, node.inputs[operands[0].scale()]);
  const Tensor& w_scale = *graph::constant_of(graph_, node.inputs[operands[1].scale()]);
  if (x_scale.num_elements() != 1) return invalid("input scale has more than one element");
  const float alpha = form.op_type == "QGemm" ? node.attributes.get_float("alpha", 1.0F) : 1.0F;
  std::vector<float> scales;
  for (float scale : w_scale.values<float>()) {
    const float product = alpha * x_scale.data<float>()[0] * scale;
    // A product that vanishes stands for a bias that does, too.
    scales.push_back(std::max(product, std::numeric_limits<float>::min()));
    if (!std::isfinite(scales.back()) || product < 0.0F) {
      return invalid("bias scale " + shown(product) + " (input scale times weight scale) is no scale");
    }
  }
  const auto count = static_cast<std::int64_t>(scales.size());
  const Shape shape = count == 1 ? Shape{} : Shape{count};
  const std::string name = name_of_value(codes);
  const ValueId scale = constant(name + "_scale", Tensor::of<float>(shape, std::span<const float>(scales)));
  const std::string real = RealNames::without_suffix(name);
  return dequantize(node, codes, Grid{scale, kNoValue, count}, -1, names_.is_free(real) ? real : name + "_real");
}

Result<void> Import::add_quantize(const Node& node, const QOperatorForm& form, const Grid& grid, ValueId real) {
  Node quantize = made_from(node, "QuantizeLinear", {real, grid.scale});
  DType type = DType::kUint8;
  if (grid.zero_point != kNoValue) {
    type = graph::constant_of(graph_, grid.zero_point)->dtype();
    quantize.inputs.push_back(grid.zero_point);
  } else {
    // The codes of the output are of the input's type.
    type = types_[index(node.inputs[form.first_codes])].value_or(DType::kUint8);
    const Tensor zero(TensorType{type, Shape{}});
    quantize.inputs.push_back(constant(name_of_value(node.outputs[0]) + "_zero_point", zero));
  }
  types_[index(node.outputs[0])] = type;
  quantize.outputs = node.outputs;
  nodes_.push_back(std::move(quantize));
  return {};
}

Result<void> Import::rewrite(const Node& node, const QOperatorForm& form) {
  std::vector<ValueId> inputs(
      node.inputs.begin(),
      node.inputs.begin() + static_cast<std::ptrdiff_t>(form.output_scale == 0 ? 0 : form.first_codes));
  const std::vector<CodesOperand> operands = form.operands(node);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const bool weight = form.bias >= 0 && i == 1;
    const std::string role = weight                                   ? "weight"
                             : operands.size() == 1 || form.bias >= 0 ? "input"
                                                                      : "operand " + std::to_string(operands[i].codes);
    const Result<ValueId> real = real_operand(node, operands[i], role);
    if (!real.ok()) return real.error();
    inputs.push_back(*real);
  }
  if (form.bias >= 0) {
    const Result<ValueId> bias = real_bias(node, form);
    if (!bias.ok()) return bias.error();
    if (*bias != kNoValue) inputs.push_back(*bias);
  }
  const bool gives_reals = form.may_give_reals && input_of(node, form.output_scale) == kNoValue;
  Grid grid;
  if (!gives_reals) {
    Result<Grid> read = grid_of(node, form.output_scale, "output");
    if (!read.ok()) return read.error();
    if (read->count > 1) {
      return Error{ErrorCode::kUnsupported,
                   "output scale has " + std::to_string(read->count) + " elements, expected one"};
    }
    grid = *read;
  }
  Result<std::vector<Node>> made = float_nodes_of(graph_, names_, node, form, std::move(inputs));
  if (!made.ok()) return made.error();
  types_.resize(graph_.values.size());
  const ValueId real = gives_reals ? node.outputs[0] : names_.real_of(graph_, node.outputs[0]);
  types_.resize(graph_.values.size());
  made->back().outputs = {real};
  std::ranges::move(*made, std::back_inserter(nodes_));
  return gives_reals ? Result<void>() : add_quantize(node, form, grid, real);
}

Result<void> Import::add(const Node& node) {
  const QOperatorForm* form = find_qoperator_form(node);
  if (form == nullptr) {
    // Q and movement tell what the integers behind them are.
    if (!node.outputs.empty() && node.outputs[0] != kNoValue && !node.inputs.empty() && node.inputs[0] != kNoValue) {
      types_[index(node.outputs[0])] = type_behind(graph_, node, types_[index(node.inputs[0])]);
    }
    nodes_.push_back(node);
    return {};
  }
  if (Result<void> fine = check(node, *form); !fine.ok()) return fine;
  if (!computed_parameters(node)) return rewrite(node, *form);
  if (!node.domain.empty()) {
    return Error{ErrorCode::kUnsupported, "a scale or zero point is computed, not a constant"};
  }
  notes_.push_back(graph::describe(graph_, node) + " stays an ordinary operator: its scale or zero point is computed");
  nodes_.push_back(node);
  return {};
}

Result<ImportedQOperator> Import::run() {
  for (std::size_t v = 0; v < graph_.values.size(); ++v) {
    if (graph_.values[v].constant) types_[v] = graph_.values[v].constant->dtype();
  }
  for (const graph::GraphInput& input : graph_.inputs) types_[index(input.value)] = input.declared.dtype;
  const std::vector<Node> nodes = std::move(graph_.nodes);
  graph_.nodes.clear();
  for (const Node& node : nodes) {
    if (Result<void> added = add(node); !added.ok()) return added.error().at(graph::describe(graph_, node));
  }
  graph_.nodes = std::move(nodes_);
  return ImportedQOperator{std::move(graph_), std::move(notes_)};
}

}  // namespace

Result<ImportedQOperator> import_qoperator(Graph graph) {
  const auto is_one = [](const Node& node) { return find_qoperator_form(node) != nullptr; };
  if (std::ranges::none_of(graph.nodes, is_one)) return ImportedQOperator{std::move(graph), {}};
  Result<Graph> folded = fold_qdq_operands(std::move(graph));
  if (!folded.ok()) return folded.error();
  return Import(*std::move(folded)).run();
}

}  // namespace halfstep::passes
