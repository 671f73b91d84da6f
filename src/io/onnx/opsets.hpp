// opsets.hpp: which version of each operator domain a model or function imports.
#pragma once

#include <onnx/onnx_pb.h>

#include <map>
#include <string>
#include <string_view>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// Version by domain; the default domain is "".
using Opsets = std::map<std::string, int, std::less<>>;

/// "ai.onnx" is another spelling of the default domain "".
std::string_view canonical_domain(std::string_view domain);

/// Errors: kInvalidInput if a domain is imported in two versions.
Result<Opsets> read_opsets(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports);

/// Errors: kInvalidInput if nodes of the default domain are there but no
/// import of it; kUnsupported if its version is not one this reader knows.
/// `nodes` decides: operators that never changed are taken from any old opset.
Result<void> check_opsets(const Opsets& opsets, const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes);

}  // namespace halfstep::io
