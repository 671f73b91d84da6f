// recurrent.cpp: definitions of RNN, GRU and LSTM.
#include <array>
#include <string>
#include <string_view>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "ops/families.hpp"
#include "ops/op_def.hpp"
#include "ops/sequence/recurrent_kernel.hpp"

namespace halfstep::ops {
namespace {

/// Errors unless operand i is absent or has exactly this type.
Result<void> expect(const NodeArgs& args, std::size_t i, std::string_view name, const TensorType& type) {
  if (!args.has(i) || args.type(i) == type) return {};
  return invalid(std::string(name) + " is " + to_string(args.type(i)) + ", expected " + to_string(type));
}

Result<std::vector<bool>> directions_of(const std::string& direction) {
  if (direction == "forward") return std::vector<bool>{false};
  if (direction == "reverse") return std::vector<bool>{true};
  if (direction == "bidirectional") return std::vector<bool>{false, true};
  return invalid("direction is " + quoted(direction) + ", expected forward, reverse or bidirectional");
}

Result<void> check_operands(const NodeArgs& args, const RecurrentPlan& plan) {
  const std::int64_t directions = plan.num_directions();
  const std::int64_t width = plan.gate_width();
  const auto floats = [](Shape shape) { return TensorType{DType::kFloat32, std::move(shape)}; };
  const TensorType state =
      plan.batch_first ? floats({plan.batch, directions, plan.hidden}) : floats({directions, plan.batch, plan.hidden});
  for (const Result<void>& checked : {
           expect(args, 1, "W", floats({directions, width, plan.input_size})),
           expect(args, 2, "R", floats({directions, width, plan.hidden})),
           expect(args, 3, "B", floats({directions, 2 * width})),
           expect(args, 4, "sequence_lens", {DType::kInt32, {plan.batch}}),
           expect(args, 5, "initial_h", state),
           expect(args, 6, "initial_c", state),
           expect(args, 7, "P", floats({directions, 3 * plan.hidden})),
       }) {
    if (!checked.ok()) return checked.error();
  }
  return {};
}

Result<RecurrentPlan> plan_recurrent(const NodeArgs& args, Cell cell) {
  const Shape& x = args.shape(0);
  const Shape& r = args.shape(2);
  if (args.type(0).dtype != DType::kFloat32 || x.rank() != 3) {
    return invalid("X is " + to_string(args.type(0)) + ", expected float32 of rank 3");
  }
  if (r.rank() != 3) return invalid("R has rank " + std::to_string(r.rank()) + ", expected 3");
  const graph::Attributes& attributes = args.attributes();
  RecurrentPlan plan;
  plan.cell = cell;
  plan.batch_first = attributes.get_int("layout", 0) != 0;
  plan.seq_len = x[plan.batch_first ? 1 : 0];
  plan.batch = x[plan.batch_first ? 0 : 1];
  plan.input_size = x[2];
  plan.hidden = r[2];
  if (attributes.get_int("hidden_size", plan.hidden) != plan.hidden) {
    return invalid("hidden_size is " + std::to_string(attributes.get_int("hidden_size", 0)) + ", R is " + to_string(r));
  }
  const Result<std::vector<bool>> directions = directions_of(attributes.get_string("direction", "forward"));
  if (!directions.ok()) return directions.error();
  plan.reversed = *directions;
  if (attributes.has("clip")) {
    plan.clip = attributes.get_float("clip", plan.clip);
    if (!(plan.clip > 0.0F)) return invalid("clip is " + std::to_string(plan.clip) + ", expected a positive number");
  }
  plan.couples_forget = attributes.get_int("input_forget", 0) != 0;
  plan.linear_before_reset = attributes.get_int("linear_before_reset", 0) != 0;
  std::vector<std::string> defaults{"Tanh"};
  if (cell == Cell::kGru) defaults = {"Sigmoid", "Tanh"};
  if (cell == Cell::kLstm) defaults = {"Sigmoid", "Tanh", "Tanh"};
  Result<std::vector<Activation>> activations =
      activations_of(attributes, num_activations(cell) * plan.reversed.size(), defaults);
  if (!activations.ok()) return activations.error();
  plan.activations = std::move(activations).value();
  if (const Result<void> checked = check_operands(args, plan); !checked.ok()) return checked.error();
  const Shape projected{plan.seq_len + 1, plan.batch + 1, plan.gate_width() + 1};  // Bounds the scratch.
  if (const Result<void> fits = check_shape(projected, DType::kFloat32); !fits.ok()) return fits.error();
  return plan;
}

template <Cell kCell>
Result<Inferred> infer_recurrent(const NodeArgs& args) {
  const Result<RecurrentPlan> plan = plan_recurrent(args, kCell);
  if (!plan.ok()) return plan.error();
  const std::int64_t directions = plan->num_directions();
  TensorType y{DType::kFloat32, {plan->seq_len, directions, plan->batch, plan->hidden}};
  TensorType state{DType::kFloat32, {directions, plan->batch, plan->hidden}};
  if (plan->batch_first) {
    y.shape = {plan->batch, plan->seq_len, directions, plan->hidden};
    state.shape = {plan->batch, directions, plan->hidden};
  }
  if (const Result<void> fits = check_shape(y.shape, y.dtype); !fits.ok()) return fits.error();
  Inferred inferred;
  inferred.outputs = {y, state};
  if (kCell == Cell::kLstm) inferred.outputs.push_back(state);
  return inferred;
}

template <Cell kCell>
Result<Prepared> lower_recurrent(const LowerArgs& args) {
  const Result<RecurrentPlan> plan = plan_recurrent(args, kCell);
  if (!plan.ok()) return plan.error();
  Prepared prepared;
  prepared.scratch_bytes = recurrent_scratch_bytes(*plan);
  prepared.run = [plan = *plan](const KernelIo& io) { return run_recurrent(plan, io); };
  return prepared;
}

/// The attribute layout dates from opset 14.
template <Cell kCell>
constexpr OpDef recurrent_op(std::string_view type) {
  return {
      .type = type,
      .since_opset = 14,
      .operand_count = {3, kCell == Cell::kLstm ? 8U : 6U},
      .output_rule = OutputRule::kObserved,
      .infer = &infer_recurrent<kCell>,
      .lower_float = &lower_recurrent<kCell>,
  };
}

}  // namespace

std::span<const OpDef> recurrent_ops() {
  static const std::array kOps = {
      recurrent_op<Cell::kGru>("GRU"),
      recurrent_op<Cell::kLstm>("LSTM"),
      recurrent_op<Cell::kRnn>("RNN"),
  };
  return kOps;
}

}  // namespace halfstep::ops
