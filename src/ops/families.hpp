// families.hpp: the operator families; each lists its definitions in its own file.
#pragma once

#include <span>

#include "ops/node_args.hpp"

namespace halfstep::ops {

std::span<const OpDef> conv_ops();
std::span<const OpDef> matmul_ops();
std::span<const OpDef> pool_ops();
std::span<const OpDef> resize_ops();
std::span<const OpDef> vision_ops();
std::span<const OpDef> normalization_ops();
std::span<const OpDef> softmax_ops();
std::span<const OpDef> reduce_ops();
std::span<const OpDef> scan_ops();
std::span<const OpDef> einsum_ops();
std::span<const OpDef> attention_ops();
std::span<const OpDef> recurrent_ops();
std::span<const OpDef> unary_ops();
std::span<const OpDef> binary_ops();
std::span<const OpDef> logic_ops();
std::span<const OpDef> cast_ops();
std::span<const OpDef> quantize_linear_ops();
std::span<const OpDef> movement_ops();
std::span<const OpDef> index_ops();
std::span<const OpDef> shape_ops();

}  // namespace halfstep::ops
