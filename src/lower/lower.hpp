// lower.hpp: from a Graph, and encodings if any, to a Program.
#pragma once

#include <map>
#include <string>

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/arithmetic.hpp"
#include "halfstep/result.hpp"
#include "lower/program.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::lower {

/// Every step in float32.
/// Errors: those of infer_facts and of the operators' lower_float, with the node named.
Result<Program> float_program(const graph::Graph& graph, const ops::InputShapes& shapes);

/// Float steps whose encoded tensors are rounded onto their grids: constants
/// once, here; activations by a step behind their producer. An encoded tensor
/// that only moves values already on the same grid is not rounded again.
/// Errors: as float_program; kInvalidInput if an encoding does not fit its tensor.
/// Halves go to even as ONNX says; under a shift rule, whose ties are common, as that rule says.
Result<Program> simulated_program(const graph::Graph& graph, const ops::InputShapes& shapes,
                                  const EncodingSet& encodings, Arithmetic arithmetic = Arithmetic::kFloatHalfEven);

/// Graph inputs that are given as codes, by name, with the grid these are on.
using CodeInputs = std::map<std::string, Encoding, std::less<>>;

/// What a fixed-point Program leaves its outputs as.
enum class OutputForm {
  kReal,   ///< Real numbers.
  kCodes,  ///< Codes where they exist.
};

/// Integer steps wherever the operators' integer forms and the encodings allow it,
/// float steps between quantize and dequantize steps elsewhere (Program::islands, with the reasons).
/// An encoded tensor exists as codes only; what reads it in float reads its dequantized codes. The
/// result depends on graph, shapes, encodings and options alone. The Program takes the inputs named in `code_inputs`
/// in the storage type of their grid, whatever `encodings` say of them: so a part of a model goes on from stored codes.
/// With kCodes its outputs are left as codes, with Slot::encoding, where it has them as such: to be stored.
/// Errors: as simulated_program; kInvalidInput if a name in `code_inputs` is no float32 input or its grid does not fit.
Result<Program> fixed_program(const graph::Graph& graph, const ops::InputShapes& shapes, const EncodingSet& encodings,
                              const FixedPointOptions& options, const CodeInputs& code_inputs = {},
                              OutputForm output_form = OutputForm::kReal);

}  // namespace halfstep::lower
