// qoperator_form.hpp: where the operators of the QOperator format keep their codes, scales and zero points.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "graph/graph.hpp"

namespace halfstep::passes {

/// A quantized operand: its codes, followed by their scale and their zero point.
struct CodesOperand {
  std::size_t codes;

  std::size_t scale() const { return codes + 1; }
  std::size_t zero_point() const { return codes + 2; }
};

/// One operator of the QOperator format.
struct QOperatorForm {
  std::string_view op_type;     ///< "QLinearConv".
  std::string_view float_type;  ///< "Conv".
  bool of_onnx = false;         ///< In the default domain, too; all are in com.microsoft.
  std::size_t min_inputs = 0;
  std::size_t max_inputs = 0;    ///< 0: any number, in threes.
  std::size_t first_codes = 0;   ///< Position of the first operand's codes; what is before is not quantized.
  std::size_t num_codes = 1;     ///< Operands in threes from there on; 0: all that there are.
  std::size_t output_scale = 3;  ///< The output's zero point follows.
  int bias = -1;                 ///< int32 codes on the grid scale_x * scale_w; -1: the operator has none.
  bool may_give_reals = false;   ///< Without an output scale the output is real.

  /// The quantized operands of a node of this form.
  std::vector<CodesOperand> operands(const graph::Node& node) const;
};

/// nullptr if the node is none of them.
const QOperatorForm* find_qoperator_form(const graph::Node& node);

/// True if input `i` of a node is a scale or a zero point: of Q, DQ and the QOperator format.
bool is_grid_parameter(const graph::Node& node, std::size_t i);

}  // namespace halfstep::passes
