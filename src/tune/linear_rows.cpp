// linear_rows.cpp: reads the layout of weights off the operator table.
#include "tune/linear_rows.hpp"

#include "core/errors.hpp"
#include "ops/op_def.hpp"

namespace halfstep::tune {

Result<LinearRows> linear_rows(const graph::Node& node, const Shape& weight) {
  const ops::OpDef* op = ops::find_op(node);
  if (op == nullptr || op->channels.weight_output_axis == nullptr) return unsupported("it is not linear");
  if (weight.num_elements() == 0) return unsupported("the weight is empty");
  const int output_axis = op->channels.weight_output_axis(node, weight);
  const int input_axis = op->channels.weight_input_axis(node, weight);
  LinearRows rows;
  if (op->channels.channels_first) {
    if (output_axis != 0) return unsupported("a transposed convolution: its windows overlap in the output");
    rows.groups = node.attributes.get_int("group", 1);
    rows.rows = weight[0];
    rows.k = weight.num_elements(1, weight.rank());
    rows.row_step = rows.k;
    rows.k_step = 1;
    rows.windows = true;
    return rows;
  }
  rows.k = weight[input_axis];
  rows.rows = output_axis < 0 ? 1 : weight[output_axis];
  if (rows.k * rows.rows != weight.num_elements()) return unsupported("it multiplies by more than one matrix");
  const bool row_major = output_axis < input_axis;
  rows.row_step = row_major ? rows.k : 1;
  rows.k_step = row_major ? 1 : rows.rows;
  return rows;
}

}  // namespace halfstep::tune
