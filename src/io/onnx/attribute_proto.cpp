// attribute_proto.cpp: attribute values and the types their names imply.
#include "io/onnx/attribute_proto.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace halfstep::io {
namespace {

using Kind = onnx::AttributeProto::AttributeType;
using onnx::AttributeProto;

// In every operator of the default domain these names have this one type.
constexpr auto kIntNames = std::to_array<std::string_view>({"align_corners",
                                                            "allowzero",
                                                            "antialias",
                                                            "axis",
                                                            "batch_axis",
                                                            "batch_dims",
                                                            "block_size",
                                                            "blocksize",
                                                            "ceil_mode",
                                                            "center_point_box",
                                                            "count_include_pad",
                                                            "detect_negative",
                                                            "detect_positive",
                                                            "dtype",
                                                            "exclude_outside",
                                                            "exclusive",
                                                            "fmod",
                                                            "group",
                                                            "hidden_size",
                                                            "input_forget",
                                                            "interleaved",
                                                            "is_causal",
                                                            "is_test",
                                                            "k",
                                                            "keepdims",
                                                            "kv_num_heads",
                                                            "largest",
                                                            "layout",
                                                            "linear_before_reset",
                                                            "noop_with_empty_axes",
                                                            "num_groups",
                                                            "num_heads",
                                                            "num_outputs",
                                                            "output_dtype",
                                                            "output_height",
                                                            "output_width",
                                                            "precision",
                                                            "q_num_heads",
                                                            "qk_matmul_output_mode",
                                                            "reverse",
                                                            "rotary_embedding_dim",
                                                            "sampling_ratio",
                                                            "saturate",
                                                            "select_last_index",
                                                            "softmax_precision",
                                                            "sorted",
                                                            "spatial",
                                                            "stash_type",
                                                            "storage_order",
                                                            "time_axis",
                                                            "to",
                                                            "training_mode",
                                                            "transA",
                                                            "transB",
                                                            "upper"});
constexpr auto kFloatNames = std::to_array<std::string_view>(
    {"alpha", "beta", "bias", "clip", "cubic_coeff_a", "epsilon", "extrapolation_value", "gamma", "height_scale",
     "lambd", "max", "min", "momentum", "ratio", "softcap", "spatial_scale", "width_scale"});
constexpr auto kStringNames = std::to_array<std::string_view>(
    {"approximate", "auto_pad", "coordinate_transformation_mode", "direction", "equation", "keep_aspect_ratio_policy",
     "mode", "nearest_mode", "padding_mode", "reduction", "round_mode"});
constexpr auto kIntsNames =
    std::to_array<std::string_view>({"axes", "dilations", "ends", "kernel_shape", "output_padding", "output_shape",
                                     "pads", "perm", "split", "starts", "strides"});
constexpr auto kFloatsNames = std::to_array<std::string_view>({"activation_alpha", "activation_beta", "scales"});

Kind kind_of_name(std::string_view name) {
  const auto in = [&](const auto& names) { return std::ranges::find(names, name) != names.end(); };
  if (in(kIntNames)) return AttributeProto::INT;
  if (in(kFloatNames)) return AttributeProto::FLOAT;
  if (in(kStringNames)) return AttributeProto::STRING;
  if (in(kIntsNames)) return AttributeProto::INTS;
  if (in(kFloatsNames)) return AttributeProto::FLOATS;
  return AttributeProto::UNDEFINED;
}

std::string name_of(Kind kind) {
  switch (kind) {
    case AttributeProto::FLOAT:
      return "a float";
    case AttributeProto::INT:
      return "an integer";
    case AttributeProto::STRING:
      return "a string";
    case AttributeProto::TENSOR:
      return "a tensor";
    case AttributeProto::GRAPH:
      return "a graph";
    case AttributeProto::FLOATS:
      return "a list of floats";
    case AttributeProto::INTS:
      return "a list of integers";
    case AttributeProto::STRINGS:
      return "a list of strings";
    case AttributeProto::TENSORS:
      return "a list of tensors";
    case AttributeProto::GRAPHS:
      return "a list of graphs";
    case AttributeProto::SPARSE_TENSOR:
    case AttributeProto::SPARSE_TENSORS:
      return "a sparse tensor";
    case AttributeProto::TYPE_PROTO:
    case AttributeProto::TYPE_PROTOS:
      return "a type";
    default:
      break;
  }
  return "of no type";
}

}  // namespace

Kind attribute_kind(const AttributeProto& proto) {
  if (proto.type() != AttributeProto::UNDEFINED) return proto.type();
  if (proto.has_f()) return AttributeProto::FLOAT;
  if (proto.has_i()) return AttributeProto::INT;
  if (proto.has_s()) return AttributeProto::STRING;
  if (proto.has_t()) return AttributeProto::TENSOR;
  if (proto.has_g()) return AttributeProto::GRAPH;
  if (proto.floats_size() > 0) return AttributeProto::FLOATS;
  if (proto.ints_size() > 0) return AttributeProto::INTS;
  if (proto.strings_size() > 0) return AttributeProto::STRINGS;
  return AttributeProto::UNDEFINED;
}

Result<graph::Attribute> read_attribute(AttributeProto& proto, bool checked, ExternalSource& external) {
  const Kind kind = attribute_kind(proto);
  const Kind expected = checked ? kind_of_name(proto.name()) : AttributeProto::UNDEFINED;
  if (expected != AttributeProto::UNDEFINED && kind != expected) {
    return Error{ErrorCode::kInvalidInput, "is " + name_of(kind) + ", expected " + name_of(expected)};
  }
  switch (kind) {
    case AttributeProto::FLOAT:
      return graph::Attribute(proto.f());
    case AttributeProto::INT:
      return graph::Attribute(static_cast<std::int64_t>(proto.i()));
    case AttributeProto::STRING:
      return graph::Attribute(proto.s());
    case AttributeProto::FLOATS:
      return graph::Attribute(std::vector<float>(proto.floats().begin(), proto.floats().end()));
    case AttributeProto::INTS:
      return graph::Attribute(std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end()));
    case AttributeProto::STRINGS:
      return graph::Attribute(std::vector<std::string>(proto.strings().begin(), proto.strings().end()));
    case AttributeProto::TENSOR: {
      auto tensor = read_tensor(*proto.mutable_t(), external);
      if (!tensor.ok()) return tensor.error();
      return graph::Attribute(std::move(tensor->tensor));
    }
    default:
      return Error{ErrorCode::kUnsupported, "is " + name_of(kind) + ", which is not supported"};
  }
}

}  // namespace halfstep::io
