// movement_pad.cpp: Pad, with every mode and with negative pads.
#include <algorithm>
#include <cstring>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "ops/movement/movement_ops.hpp"
#include "ops/movement/movement_support.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

enum class Mode { kConstant, kReflect, kEdge, kWrap };

// One axis of a padding: negative pads cut first, then the rest is extended.
struct PadAxis {
  std::int64_t begin = 0;   // First element of the source that is kept.
  std::int64_t length = 0;  // How many are kept.
  std::int64_t before = 0;  // Padding in front.
  std::int64_t extent = 0;  // Of the output.

  // Which source element is at `position` of the output; -1: the constant.
  std::int64_t source_index(Mode mode, std::int64_t position) const {
    std::int64_t i = position - before;
    if (i >= 0 && i < length) return begin + i;
    switch (mode) {
      case Mode::kConstant:
        return -1;
      case Mode::kEdge:
        return begin + (i < 0 ? 0 : length - 1);
      case Mode::kWrap:
        i %= length;
        return begin + (i < 0 ? i + length : i);
      case Mode::kReflect:
        break;
    }
    if (length == 1) return begin;
    const std::int64_t period = 2 * (length - 1);
    i %= period;
    if (i < 0) i += period;
    return begin + (i < length ? i : period - i);
  }
};

struct Plan {
  Mode mode = Mode::kConstant;
  std::vector<PadAxis> axes;
};

Result<Mode> mode_of(const NodeArgs& args) {
  const std::string name = args.attributes().get_string("mode", "constant");
  if (name == "constant") return Mode::kConstant;
  if (name == "reflect") return Mode::kReflect;
  if (name == "edge") return Mode::kEdge;
  if (name == "wrap") return Mode::kWrap;
  return invalid("mode is " + quoted(name) + ", expected constant, reflect, edge or wrap");
}

Result<PadAxis> plan_axis(Mode mode, int axis, std::int64_t extent, std::int64_t before, std::int64_t after) {
  PadAxis plan;
  const auto sane = [](std::int64_t pad) { return pad >= -kMaxTensorBytes && pad <= kMaxTensorBytes; };
  if (!sane(before) || !sane(after) || __builtin_add_overflow(extent, before + after, &plan.extent) ||
      plan.extent < 0) {
    return invalid("pads " + std::to_string(before) + " and " + std::to_string(after) + " do not fit axis " +
                   std::to_string(axis) + " of extent " + std::to_string(extent));
  }
  plan.begin = -std::min<std::int64_t>(before, 0);
  plan.before = std::max<std::int64_t>(before, 0);
  plan.length =
      std::max<std::int64_t>(extent + std::min<std::int64_t>(before, 0) + std::min<std::int64_t>(after, 0), 0);
  if (mode != Mode::kConstant && plan.length == 0 && plan.extent > 0) {
    return invalid("axis " + std::to_string(axis) + " has no elements to pad with");
  }
  return plan;
}

// Requires the values of operands 1 and 3 where present.
Result<Plan> plan_pad(const NodeArgs& args) {
  const Shape& shape = args.shape(0);
  const Result<Mode> mode = mode_of(args);
  if (!mode.ok()) return mode.error();
  const auto pads = integers_of(args, 1, "pads");
  if (!pads.ok()) return pads.error();
  std::vector<std::int64_t> given_axes;
  if (args.has(3)) {
    auto axes = integers_of(args, 3, "axes");
    if (!axes.ok()) return axes.error();
    given_axes = *std::move(axes);
  } else {
    for (int axis = 0; axis < shape.rank(); ++axis) given_axes.push_back(axis);
  }
  const auto axes = distinct_axes(given_axes, shape.rank());
  if (!axes.ok()) return axes.error();
  if (pads->size() != 2 * axes->size()) {
    return invalid("pads has " + std::to_string(pads->size()) + " elements, expected two for each of " +
                   std::to_string(axes->size()) + " axes");
  }
  Plan plan{*mode, {}};
  for (std::int64_t extent : shape) plan.axes.push_back({0, extent, 0, extent});
  for (std::size_t i = 0; i < axes->size(); ++i) {
    const int axis = (*axes)[i];
    const auto planned = plan_axis(*mode, axis, shape[axis], (*pads)[i], (*pads)[i + axes->size()]);
    if (!planned.ok()) return planned.error();
    plan.axes[static_cast<std::size_t>(axis)] = *planned;
  }
  return plan;
}

Result<Inferred> infer_pad(const NodeArgs& args) {
  if (args.has(2) && (args.type(2).dtype != args.type(0).dtype || args.shape(2).num_elements() != 1)) {
    return invalid("the constant is " + to_string(args.type(2)) + ", expected one " +
                   std::string(name_of(args.type(0).dtype)));
  }
  if (args.value(1) == nullptr || (args.has(3) && args.value(3) == nullptr)) return Inferred::unknown();
  const auto plan = plan_pad(args);
  if (!plan.ok()) return plan.error();
  TensorType type = args.type(0);
  for (int axis = 0; axis < type.shape.rank(); ++axis) {
    type.shape[axis] = plan->axes[static_cast<std::size_t>(axis)].extent;
  }
  return infer_one(std::move(type));
}

// Repeats one element of `element` bytes over [target, target + num_bytes).
void fill(std::byte* target, std::int64_t num_bytes, const std::byte* value, std::int64_t element) {
  if (num_bytes <= 0) return;
  std::memcpy(target, value, static_cast<std::size_t>(element));
  for (std::int64_t done = element; done < num_bytes; done *= 2) {
    std::memcpy(target + done, target, static_cast<std::size_t>(std::min(done, num_bytes - done)));
  }
}

// Pads rows: the last axis that changes, with everything inside it as one unit.
class PadKernel {
 public:
  PadKernel(Plan plan, const Shape& source, std::int64_t element) : mode_(plan.mode), element_(element) {
    const std::vector<std::int64_t> strides = strides_of(source);
    std::size_t num_axes = plan.axes.size();
    while (num_axes > 1 && unchanged(plan.axes[num_axes - 1], source[static_cast<int>(num_axes) - 1])) --num_axes;
    unit_bytes_ = source.num_elements(static_cast<int>(num_axes), source.rank()) * element;
    for (std::size_t i = 0; i + 1 < num_axes; ++i) outer_.push_back({plan.axes[i], strides[i] * element});
    row_ = num_axes == 0 ? PadAxis{0, 1, 0, 1} : plan.axes[num_axes - 1];
  }

  void run(const std::byte* source, std::byte* target, const std::byte* constant) const {
    const std::int64_t row_bytes = row_.extent * unit_bytes_;
    std::vector<std::int64_t> index(outer_.size(), 0);
    while (true) {
      bool inside = true;
      std::int64_t offset = 0;
      for (std::size_t i = 0; i < outer_.size(); ++i) {
        const std::int64_t at = outer_[i].axis.source_index(mode_, index[i]);
        inside = inside && at >= 0;
        offset += at * outer_[i].stride_bytes;
      }
      if (inside) {
        run_row(source + offset, target, constant);
      } else {
        fill(target, row_bytes, constant, element_);
      }
      target += row_bytes;
      std::size_t axis = outer_.size();
      while (axis > 0 && ++index[axis - 1] == outer_[axis - 1].axis.extent) index[--axis] = 0;
      if (axis == 0) return;
    }
  }

 private:
  struct Outer {
    PadAxis axis;
    std::int64_t stride_bytes;
  };

  static bool unchanged(const PadAxis& axis, std::int64_t extent) {
    return axis.begin == 0 && axis.length == extent && axis.extent == extent;
  }

  void run_row(const std::byte* source, std::byte* target, const std::byte* constant) const {
    const std::int64_t body_end = std::min(row_.before + row_.length, row_.extent);
    pad_part(0, std::min(row_.before, row_.extent), source, target, constant);
    if (body_end > row_.before) {
      std::memcpy(target + row_.before * unit_bytes_, source + row_.begin * unit_bytes_,
                  static_cast<std::size_t>((body_end - row_.before) * unit_bytes_));
    }
    pad_part(std::max(body_end, row_.before), row_.extent, source, target, constant);
  }

  void pad_part(std::int64_t first, std::int64_t last, const std::byte* source, std::byte* target,
                const std::byte* constant) const {
    if (mode_ == Mode::kConstant) {
      fill(target + first * unit_bytes_, (last - first) * unit_bytes_, constant, element_);
      return;
    }
    for (std::int64_t i = first; i < last; ++i) {
      std::memcpy(target + i * unit_bytes_, source + row_.source_index(mode_, i) * unit_bytes_,
                  static_cast<std::size_t>(unit_bytes_));
    }
  }

  Mode mode_;
  std::int64_t element_;
  std::int64_t unit_bytes_ = 0;
  std::vector<Outer> outer_;
  PadAxis row_;
};

Result<Prepared> lower_pad(const LowerArgs& args) {
  auto plan = plan_pad(args);
  if (!plan.ok()) return plan.error();
  if (args.outputs[0].shape.num_elements() == 0) {
    return Prepared{[](const KernelIo&) -> Result<void> { return {}; }};
  }
  return Prepared{[kernel = PadKernel(*std::move(plan), args.shape(0), element_bytes(args.type(0)))](
                      const KernelIo& io) -> Result<void> {
    static constexpr std::byte kZero[8] = {};
    const bool given = io.inputs.size() > 2 && io.inputs[2].present();
    kernel.run(io.inputs[0].bytes, io.outputs[0].bytes, given ? io.inputs[2].bytes : kZero);
    return {};
  }};
}

std::optional<std::size_t> fill_operand(const graph::Node& node) {
  if (node.attributes.get_string("mode", "constant") != "constant") return std::nullopt;
  return 2;
}

}  // namespace

OpDef pad_op() {
  return {.type = "Pad",
          .since_opset = 11,
          .operand_count = {2, 4},
          .output_rule = OutputRule::kSameAsInput,
          .has_integer_form = true,
          .fill_operand = &fill_operand,
          .infer = &infer_pad,
          .lower_float = &lower_pad};
}

}  // namespace halfstep::ops
