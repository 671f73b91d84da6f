// pool_window.cpp: window arithmetic of pooling and convolution.
#include "ops/shared/pool_window.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "core/text.hpp"

namespace halfstep::ops {
namespace {

// Bounds every attribute, so that no sum or product below leaves 64 bits:
// span() < 2^62 + 1, and extents and pads add at most 2^34.
constexpr std::int64_t kMaxAttribute = std::numeric_limits<std::int32_t>::max();

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return -floor_div(-a, b); }

/// The attribute's values, or `count` times `fallback` when it is absent.
Result<std::vector<std::int64_t>> values_of(const graph::Attributes& attributes, std::string_view name,
                                            std::size_t count, std::int64_t fallback, std::int64_t least) {
  const auto* given = attributes.find<std::vector<std::int64_t>>(name);
  if (given == nullptr || given->empty()) return std::vector<std::int64_t>(count, fallback);
  if (given->size() != count) {
    return Error{ErrorCode::kInvalidInput, std::string(name) + " has " + std::to_string(given->size()) +
                                               " values, expected " + std::to_string(count)};
  }
  for (const std::int64_t value : *given) {
    if (value < least || value > kMaxAttribute) {
      return Error{ErrorCode::kInvalidInput, std::string(name) + " has the value " + std::to_string(value) +
                                                 ", expected " + std::to_string(least) + " to " +
                                                 std::to_string(kMaxAttribute)};
    }
  }
  return *given;
}

enum class AutoPad { kNotSet, kValid, kSameUpper, kSameLower };

Result<AutoPad> auto_pad_of(const graph::Attributes& attributes) {
  const std::string text = attributes.get_string("auto_pad", "NOTSET");
  if (text == "NOTSET" || text.empty()) return AutoPad::kNotSet;
  if (text == "VALID") return AutoPad::kValid;
  if (text == "SAME_UPPER") return AutoPad::kSameUpper;
  if (text == "SAME_LOWER") return AutoPad::kSameLower;
  return Error{ErrorCode::kInvalidInput,
               "auto_pad is " + quoted(text) + ", expected NOTSET, VALID, SAME_UPPER or SAME_LOWER"};
}

void pad_to_same(WindowAxis& axis, AutoPad mode) {
  axis.out = ceil_div(axis.in, axis.stride);
  const std::int64_t total = std::max<std::int64_t>(0, (axis.out - 1) * axis.stride + axis.span() - axis.in);
  const std::int64_t less = total / 2;
  axis.pad_begin = mode == AutoPad::kSameUpper ? less : total - less;
  axis.pad_end = total - axis.pad_begin;
}

void count_windows(WindowAxis& axis, bool ceil_mode) {
  const std::int64_t room = axis.in + axis.pad_begin + axis.pad_end - axis.span();
  axis.out = (ceil_mode ? ceil_div(room, axis.stride) : floor_div(room, axis.stride)) + 1;
  if (ceil_mode && axis.start(axis.out - 1) >= axis.in) --axis.out;
}

}  // namespace

TapRange taps_between(const WindowAxis& axis, std::int64_t o, std::int64_t low, std::int64_t high) {
  const std::int64_t start = axis.start(o);
  TapRange range;
  range.first = std::clamp<std::int64_t>(ceil_div(low - start, axis.dilation), 0, axis.kernel);
  range.last = std::clamp<std::int64_t>(floor_div(high - 1 - start, axis.dilation) + 1, range.first, axis.kernel);
  return range;
}

Result<std::vector<WindowAxis>> window_axes(const graph::Attributes& attributes, std::span<const std::int64_t> in,
                                            std::span<const std::int64_t> kernel) {
  if (kernel.size() != in.size()) {
    return Error{ErrorCode::kInvalidInput, "the window has " + std::to_string(kernel.size()) +
                                               " dimensions, the input has " + std::to_string(in.size()) +
                                               " spatial dimensions"};
  }
  const auto mode = auto_pad_of(attributes);
  if (!mode.ok()) return mode.error();
  const auto strides = values_of(attributes, "strides", in.size(), 1, 1);
  if (!strides.ok()) return strides.error();
  const auto dilations = values_of(attributes, "dilations", in.size(), 1, 1);
  if (!dilations.ok()) return dilations.error();
  const auto pads = *mode == AutoPad::kNotSet
                        ? values_of(attributes, "pads", 2 * in.size(), 0, 0)
                        : Result<std::vector<std::int64_t>>(std::vector<std::int64_t>(2 * in.size(), 0));
  if (!pads.ok()) return pads.error();
  const bool ceil_mode = attributes.get_int("ceil_mode", 0) != 0;

  std::vector<WindowAxis> axes(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (kernel[i] < 1 || kernel[i] > kMaxAttribute) {
      return Error{ErrorCode::kInvalidInput, "the window has the extent " + std::to_string(kernel[i]) +
                                                 ", expected 1 to " + std::to_string(kMaxAttribute)};
    }
    WindowAxis& axis = axes[i];
    axis = {.in = in[i], .kernel = kernel[i], .stride = (*strides)[i], .dilation = (*dilations)[i]};
    axis.pad_begin = (*pads)[i];
    axis.pad_end = (*pads)[in.size() + i];
    if (*mode == AutoPad::kSameUpper || *mode == AutoPad::kSameLower) {
      pad_to_same(axis, *mode);
    } else {
      // Under VALID the two roundings of the specification give the same count.
      count_windows(axis, ceil_mode && *mode == AutoPad::kNotSet);
    }
    if (axis.out < 1) {
      return Error{ErrorCode::kInvalidInput, "a window of " + std::to_string(axis.span()) +
                                                 " does not fit the padded input of " +
                                                 std::to_string(axis.in + axis.pad_begin + axis.pad_end)};
    }
  }
  return axes;
}

}  // namespace halfstep::ops
