// attribute_proto.hpp: from AttributeProtos to attributes.
#pragma once

#include <onnx/onnx_pb.h>

#include "graph/attributes.hpp"
#include "halfstep/result.hpp"
#include "io/onnx/tensor_proto.hpp"

namespace halfstep::io {

/// The kind of value inside, also where an old file leaves `type` out.
onnx::AttributeProto::AttributeType attribute_kind(const onnx::AttributeProto& proto);

/// Any attribute but a subgraph. Names that ONNX gives a fixed type are
/// checked when `checked` is set, which it is for operators of the default domain.
/// Errors: kInvalidInput for a type other than the name's; kUnsupported for
/// lists of tensors or graphs, sparse tensors, type protos; those of read_tensor.
Result<graph::Attribute> read_attribute(onnx::AttributeProto& proto, bool checked, ExternalSource& external);

}  // namespace halfstep::io
