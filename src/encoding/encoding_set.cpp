// encoding_set.cpp: real tensors to stored integers and back, per (E1).
#include "encoding/encoding_set.hpp"

#include "encoding/grid_runs.hpp"
#include "numerics/rounding.hpp"

namespace halfstep {
namespace {

/// A run of `count` values that share one channel, on a grid of at most 16 bits. The quotient is clamped before it is
/// rounded: the bounds are integers and rounding is monotonic, so this equals clamping afterwards. The bounds need at
/// most 17 bits, so float32 holds them exactly and round_half_even(float), good for 22, applies.
template <class T>
void quantize_run(const float* real_x, std::int64_t count, IntGrid grid, QuantParams p, T* q_x) {
  const auto scale = static_cast<float>(p.scale);
  const auto lowest = static_cast<float>(grid.q_min - p.zero_point);
  const auto highest = static_cast<float>(grid.q_max - p.zero_point);
  for (std::int64_t i = 0; i < count; ++i) {
    float steps = real_x[i] / scale;
    steps = steps > lowest ? steps : lowest;
    steps = steps < highest ? steps : highest;
    q_x[i] = static_cast<T>(static_cast<std::int32_t>(numerics::round_half_even(steps)) + p.zero_point);
  }
}

/// The same for grids beyond 16 bits, where a float32 quotient would lose integer digits.
void quantize_run_wide(const float* real_x, std::int64_t count, IntGrid grid, QuantParams p, std::int32_t* q_x) {
  const double lowest = static_cast<double>(grid.q_min) - p.zero_point;
  const double highest = static_cast<double>(grid.q_max) - p.zero_point;
  for (std::int64_t i = 0; i < count; ++i) {
    double steps = static_cast<double>(real_x[i]) / p.scale;
    steps = steps > lowest ? steps : lowest;
    steps = steps < highest ? steps : highest;
    q_x[i] = static_cast<std::int32_t>(static_cast<std::int64_t>(numerics::round_half_even(steps)) + p.zero_point);
  }
}

template <class T>
void dequantize_run(const T* q_x, std::int64_t count, QuantParams p, float* real_x) {
  const auto scale = static_cast<float>(p.scale);
  if constexpr (sizeof(T) <= 2) {
    for (std::int64_t i = 0; i < count; ++i) {
      real_x[i] = static_cast<float>(static_cast<std::int32_t>(q_x[i]) - p.zero_point) * scale;
    }
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      real_x[i] = static_cast<float>(static_cast<std::int64_t>(q_x[i]) - p.zero_point) * scale;
    }
  }
}

std::string origin_text(const Provenance& provenance) {
  const std::string& detail = provenance.detail;
  const std::string in_brackets = detail.empty() ? "" : " (" + detail + ")";
  switch (provenance.origin) {
    case Origin::kCalibrated:
      return "calibrated" + in_brackets;
    case Origin::kFixed:
      return "fixed by the operator" + in_brackets;
    case Origin::kShared:
      return "same as '" + detail + "'";
    case Origin::kWeights:
      return "from its values" + in_brackets;
    case Origin::kDerived:
      return "scale of input times scale of weight" + in_brackets;
    case Origin::kImported:
      return "imported" + in_brackets;
    case Origin::kOverridden:
      return "overridden" + in_brackets;
  }
  return "unknown";
}

}  // namespace

std::string to_string(const Provenance& provenance) {
  std::string text = origin_text(provenance);
  for (const std::string& change : provenance.changes) text += ", " + change;
  return text;
}

Tensor quantize(const Tensor& real, const Encoding& encoding) {
  Tensor codes(TensorType{storage_dtype(encoding.grid()), real.shape()});
  quantize_into(real.view(), encoding, codes.mutable_view());
  return codes;
}

void quantize_into(const ConstView& real, const Encoding& encoding, const MutableView& codes) {
  const IntGrid grid = encoding.grid();
  const float* from = real.data<float>();
  visit_dtype(codes.dtype(), [&]<class T>() {
    if constexpr (std::is_integral_v<T> && sizeof(T) <= 4 && !std::is_same_v<T, bool>) {
      T* to = codes.data<T>();
      for_each_grid_run(real.shape(), encoding, [&](std::int64_t offset, std::int64_t count, std::size_t i) {
        const QuantParams& p = encoding.params()[i];
        if constexpr (std::is_same_v<T, std::int32_t>) {
          quantize_run_wide(from + offset, count, grid, p, to + offset);
        } else {
          quantize_run(from + offset, count, grid, p, to + offset);
        }
      });
    }
  });
}

Tensor dequantize(const Tensor& codes, const Encoding& encoding) {
  Tensor real(TensorType{DType::kFloat32, codes.shape()});
  dequantize_into(codes.view(), encoding, real.mutable_view());
  return real;
}

void dequantize_into(const ConstView& codes, const Encoding& encoding, const MutableView& real) {
  float* to = real.data<float>();
  visit_dtype(codes.dtype(), [&]<class T>() {
    if constexpr (std::is_integral_v<T>) {
      const T* from = codes.data<T>();
      for_each_grid_run(codes.shape(), encoding, [&](std::int64_t offset, std::int64_t count, std::size_t i) {
        dequantize_run(from + offset, count, encoding.params()[i], to + offset);
      });
    }
  });
}

Shape scale_shape(const Encoding& encoding, const Shape& shape) {
  if (encoding.is_per_tensor()) return {};
  if (encoding.axis()) return {static_cast<std::int64_t>(encoding.params().size())};
  Shape scales;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const bool blocked = axis == *encoding.block_axis();
    scales.push_back(blocked ? (shape[axis] + encoding.block_size() - 1) / encoding.block_size() : shape[axis]);
  }
  return scales;
}

Result<void> check_fits(const Encoding& encoding, const Shape& shape) {
  if (encoding.is_per_tensor()) return {};
  const bool blocked = encoding.block_axis().has_value();
  const int axis = blocked ? *encoding.block_axis() : *encoding.axis();
  if (axis >= shape.rank()) {
    return Error{ErrorCode::kInvalidInput, std::string("the encoding's ") + (blocked ? "block" : "channel") +
                                               " axis is " + std::to_string(axis) + ", the tensor's shape " +
                                               to_string(shape)};
  }
  const auto found = static_cast<std::int64_t>(encoding.params().size());
  if (blocked) {
    const std::int64_t needed = scale_shape(encoding, shape).num_elements();
    if (found == needed) return {};
    return Error{ErrorCode::kInvalidInput, "the encoding has " + std::to_string(found) + " scales, blocks of " +
                                               std::to_string(encoding.block_size()) + " along axis " +
                                               std::to_string(axis) + " of " + to_string(shape) + " need " +
                                               std::to_string(needed)};
  }
  if (shape[axis] != found) {
    return Error{ErrorCode::kInvalidInput, "the encoding has " + std::to_string(found) + " channels, axis " +
                                               std::to_string(axis) + " of " + to_string(shape) + " has " +
                                               std::to_string(shape[axis])};
  }
  return {};
}

}  // namespace halfstep
