// conv_geometry.cpp: the attributes Conv and ConvTranspose share, checked and completed.
#include "ops/linear/conv_geometry.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "core/text.hpp"

namespace halfstep::ops {
namespace {

using Ints = std::vector<std::int64_t>;

// Bounds every attribute, so that the products and sums below stay in 64 bits:
// (2^31)^2 + 2^33 < 2^63.
constexpr std::int64_t kMaxAttribute = std::numeric_limits<std::int32_t>::max();

Result<Ints> ints_attribute(const NodeArgs& args, const char* name, std::size_t count, std::int64_t fallback,
                            std::int64_t smallest) {
  Ints values = args.attributes().get_ints(name);
  if (values.empty()) values.assign(count, fallback);
  if (values.size() != count) {
    return invalid("attribute " + std::string(name) + " has " + std::to_string(values.size()) + " values, expected " +
                   std::to_string(count));
  }
  for (const std::int64_t value : values) {
    if (value < smallest || value > kMaxAttribute) {
      return invalid("attribute " + std::string(name) + " contains " + std::to_string(value) + ", expected " +
                     std::to_string(smallest) + " to " + std::to_string(kMaxAttribute));
    }
  }
  return values;
}

enum class AutoPad { kNotSet, kValid, kSameUpper, kSameLower };

Result<AutoPad> auto_pad_of(const NodeArgs& args) {
  const std::string name = args.attributes().get_string("auto_pad", "NOTSET");
  if (name.empty() || name == "NOTSET") return AutoPad::kNotSet;
  if (name == "VALID") return AutoPad::kValid;
  if (name == "SAME_UPPER") return AutoPad::kSameUpper;
  if (name == "SAME_LOWER") return AutoPad::kSameLower;
  return invalid("attribute auto_pad is " + quoted(name) + ", expected NOTSET, VALID, SAME_UPPER or SAME_LOWER");
}

Result<void> check_operands(const NodeArgs& args) {
  for (std::size_t i = 0; i < args.num_inputs(); ++i) {
    if (args.has(i) && args.type(i).dtype != DType::kFloat32) {
      constexpr std::array kRoles = {"input", "weight", "bias"};
      return invalid(std::string(kRoles[i]) + " is " + std::string(name_of(args.type(i).dtype)) + ", expected float32");
    }
  }
  const int rank = args.shape(0).rank();
  if (rank < 3) return invalid("input has rank " + std::to_string(rank) + ", expected at least 3");
  if (rank > 5) {
    return Error{ErrorCode::kUnsupported,
                 "input has " + std::to_string(rank - 2) + " spatial axes, at most 3 are supported"};
  }
  if (args.shape(1).rank() != rank) {
    return invalid("weight has rank " + std::to_string(args.shape(1).rank()) + ", the input has " +
                   std::to_string(rank));
  }
  return {};
}

Result<void> check_bias(const NodeArgs& args, std::int64_t out_channels) {
  if (!args.has(2) || args.shape(2) == Shape{out_channels}) return {};
  return invalid("bias has shape " + to_string(args.shape(2)) + ", expected [" + std::to_string(out_channels) + "]");
}

// Batch, extents, kernel, stride and dilation; everything but channels, padding and output.
Result<ConvGeometry> common_geometry(const NodeArgs& args) {
  if (auto checked = check_operands(args); !checked.ok()) return checked.error();
  const Shape& x = args.shape(0);
  const Shape& w = args.shape(1);
  ConvGeometry g;
  g.num_axes = x.rank() - 2;
  g.batch = x[0];
  g.in_channels = x[1];
  // Also keeps the extents of the kernel below those of a real tensor: an empty one may declare any.
  if (g.in_channels == 0) return invalid("input has no channels");
  g.groups = args.attributes().get_int("group", 1);
  if (g.groups < 1) return invalid("attribute group is " + std::to_string(g.groups) + ", expected at least 1");
  const auto num_axes = static_cast<std::size_t>(g.num_axes);
  const Result<Ints> strides = ints_attribute(args, "strides", num_axes, 1, 1);
  if (!strides.ok()) return strides.error();
  const Result<Ints> dilations = ints_attribute(args, "dilations", num_axes, 1, 1);
  if (!dilations.ok()) return dilations.error();
  const Ints declared_kernel = args.attributes().get_ints("kernel_shape");
  const Ints kernel(w.begin() + 2, w.end());
  if (!declared_kernel.empty() && declared_kernel != kernel) {
    return invalid("attribute kernel_shape is " + to_string(Shape(declared_kernel)) + ", the weight has shape " +
                   to_string(w));
  }
  for (std::size_t i = 0; i < num_axes; ++i) {
    const std::size_t axis = 3 - num_axes + i;
    if (kernel[i] < 1 || kernel[i] > kMaxAttribute) return invalid("weight has an empty kernel: " + to_string(w));
    g.in[axis] = x[static_cast<int>(i) + 2];
    g.kernel[axis] = kernel[i];
    g.stride[axis] = (*strides)[i];
    g.dilation[axis] = (*dilations)[i];
  }
  return g;
}

std::int64_t window_extent(const ConvGeometry& g, std::size_t axis) {
  return (g.kernel[axis] - 1) * g.dilation[axis] + 1;
}

}  // namespace

Shape ConvGeometry::output_shape() const {
  Shape shape{batch, out_channels};
  for (std::size_t axis = 3 - static_cast<std::size_t>(num_axes); axis < 3; ++axis) shape.push_back(out[axis]);
  return shape;
}

Result<ConvGeometry> conv_geometry(const NodeArgs& args) {
  Result<ConvGeometry> common = common_geometry(args);
  if (!common.ok()) return common;
  ConvGeometry g = *common;
  const Shape& w = args.shape(1);
  if (g.in_channels % g.groups != 0 || w[1] != g.in_channels / g.groups) {
    return invalid("weight has " + std::to_string(w[1]) + " input channels in each of " + std::to_string(g.groups) +
                   " groups, the input has " + std::to_string(g.in_channels));
  }
  g.out_channels = w[0];
  if (g.out_channels % g.groups != 0) {
    return invalid(std::to_string(g.out_channels) + " output channels do not divide into " + std::to_string(g.groups) +
                   " groups");
  }
  if (auto checked = check_bias(args, g.out_channels); !checked.ok()) return checked.error();
  const Result<AutoPad> auto_pad = auto_pad_of(args);
  if (!auto_pad.ok()) return auto_pad.error();
  const auto num_axes = static_cast<std::size_t>(g.num_axes);
  Ints pads(2 * num_axes, 0);
  if (*auto_pad == AutoPad::kNotSet) {
    Result<Ints> given = ints_attribute(args, "pads", 2 * num_axes, 0, 0);
    if (!given.ok()) return given.error();
    pads = *std::move(given);
  }
  for (std::size_t i = 0; i < num_axes; ++i) {
    const std::size_t axis = 3 - num_axes + i;
    const std::int64_t window = window_extent(g, axis);
    if (*auto_pad == AutoPad::kSameUpper || *auto_pad == AutoPad::kSameLower) {
      g.out[axis] = g.in[axis] == 0 ? 0 : (g.in[axis] - 1) / g.stride[axis] + 1;
      const std::int64_t total = std::max<std::int64_t>(0, (g.out[axis] - 1) * g.stride[axis] + window - g.in[axis]);
      g.pad[axis] = *auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
      continue;
    }
    g.pad[axis] = pads[i];
    const std::int64_t padded = g.in[axis] + pads[i] + pads[num_axes + i];
    if (padded < window) {
      return invalid("the kernel spans " + std::to_string(window) + " elements of spatial axis " + std::to_string(i) +
                     ", the padded input has " + std::to_string(padded));
    }
    g.out[axis] = (padded - window) / g.stride[axis] + 1;
  }
  if (auto checked = check_shape(g.output_shape(), DType::kFloat32); !checked.ok()) return checked.error();
  return g;
}

Result<ConvGeometry> conv_transpose_geometry(const NodeArgs& args) {
  Result<ConvGeometry> common = common_geometry(args);
  if (!common.ok()) return common;
  ConvGeometry g = *common;
  const Shape& w = args.shape(1);
  if (w[0] != g.in_channels) {
    return invalid("weight has " + std::to_string(w[0]) + " input channels, the input has " +
                   std::to_string(g.in_channels));
  }
  if (g.in_channels % g.groups != 0) {
    return invalid(std::to_string(g.in_channels) + " input channels do not divide into " + std::to_string(g.groups) +
                   " groups");
  }
  if (w[1] > kMaxAttribute || g.groups > kMaxAttribute) return invalid("too many output channels");
  g.out_channels = w[1] * g.groups;
  if (auto checked = check_bias(args, g.out_channels); !checked.ok()) return checked.error();
  const Result<AutoPad> auto_pad = auto_pad_of(args);
  if (!auto_pad.ok()) return auto_pad.error();
  const auto num_axes = static_cast<std::size_t>(g.num_axes);
  const Result<Ints> output_padding = ints_attribute(args, "output_padding", num_axes, 0, 0);
  if (!output_padding.ok()) return output_padding.error();
  const Result<Ints> pads = ints_attribute(args, "pads", 2 * num_axes, 0, 0);
  if (!pads.ok()) return pads.error();
  Ints wanted = args.attributes().get_ints("output_shape");
  // Some writers put batch and channels in front of the spatial extents.
  if (wanted.size() == num_axes + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
  if (!wanted.empty() && wanted.size() != num_axes) {
    return invalid("attribute output_shape has " + std::to_string(wanted.size()) + " values, expected " +
                   std::to_string(num_axes));
  }
  const bool same = *auto_pad == AutoPad::kSameUpper || *auto_pad == AutoPad::kSameLower;
  for (std::size_t i = 0; i < num_axes; ++i) {
    const std::size_t axis = 3 - num_axes + i;
    if (g.in[axis] == 0) return invalid("input has no elements along spatial axis " + std::to_string(i));
    if (g.in[axis] > kMaxAttribute) return invalid("input is too long along spatial axis " + std::to_string(i));
    const std::int64_t reach = g.stride[axis] * (g.in[axis] - 1) + (*output_padding)[i] + window_extent(g, axis);
    if (wanted.empty() && !same) {
      const bool explicit_pads = *auto_pad == AutoPad::kNotSet;
      g.pad[axis] = explicit_pads ? (*pads)[i] : 0;
      g.out[axis] = reach - (explicit_pads ? (*pads)[i] + (*pads)[num_axes + i] : 0);
    } else {
      g.out[axis] = wanted.empty() ? g.in[axis] * g.stride[axis] : wanted[i];
      if (g.out[axis] < 0 || g.out[axis] > kMaxTensorBytes) {
        return invalid("attribute output_shape contains " + std::to_string(g.out[axis]));
      }
      // Where more is wanted than the windows reach, the rest stays at the end.
      const std::int64_t total = std::max<std::int64_t>(0, reach - g.out[axis]);
      g.pad[axis] = *auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
    }
    if (g.out[axis] < 0) {
      return invalid("the pads remove more than the output has along spatial axis " + std::to_string(i));
    }
  }
  if (auto checked = check_shape(g.output_shape(), DType::kFloat32); !checked.ok()) return checked.error();
  return g;
}

ClampBounds clamp_bounds(const graph::Node& node) {
  return node.clamp.has_value() ? ClampBounds{node.clamp->min, node.clamp->max} : ClampBounds{};
}

std::int64_t tile_columns(std::int64_t num_columns, std::int64_t column_floats) {
  constexpr std::int64_t kBudgetFloats = 2 * 1024 * 1024 / sizeof(float);
  // Products of few columns pay for reading the weights: rather exceed the cache, up to a limit.
  constexpr std::int64_t kMaxFloats = 2 * kBudgetFloats;
  constexpr std::int64_t kMinColumns = 64;
  const std::int64_t floats = std::max<std::int64_t>(1, column_floats);
  const std::int64_t fitting = kBudgetFloats / floats / 16 * 16;
  const std::int64_t allowed = std::clamp<std::int64_t>(kMaxFloats / floats, 1, kMinColumns);
  return std::min(std::max(fitting, allowed), std::max<std::int64_t>(1, num_columns));
}

}  // namespace halfstep::ops
