// survey.hpp: which operators and types of a test model this tool does not know.
#pragma once

#include <onnx/onnx_pb.h>

#include <set>
#include <string>

namespace halfstep::node_tests {

struct Survey {
  /// "operator X" or "type float16"; empty: the test must pass.
  std::set<std::string> unknown;
  /// float64 is computed in float32: such a test counts if its results agree.
  bool has_double = false;
  /// An operator whose results nobody can predict.
  bool is_random = false;
};

Survey survey(const onnx::ModelProto& model);

}  // namespace halfstep::node_tests
