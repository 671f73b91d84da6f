// grid_values.cpp: measures in steps of a grid.
#include "compare/grid_values.hpp"

#include <cmath>
#include <type_traits>

#include "encoding/encoding_set.hpp"
#include "encoding/grid_runs.hpp"

namespace halfstep::compare {
namespace {

/// Borrowed; the data must outlive it.
Tensor tensor_of(const ConstView& view) { return Tensor(*view.type, view.bytes, nullptr); }

std::int64_t count_outside(std::span<const float> values, double lowest, double highest) {
  std::int64_t outside = 0;
  for (const float value : values) {
    const auto x = static_cast<double>(value);
    outside += x >= lowest && x <= highest ? 0 : 1;
  }
  return outside;
}

std::size_t class_of(std::int64_t distance) {
  if (distance <= 2) return static_cast<std::size_t>(distance);
  if (distance <= 4) return 3;
  return distance <= 8 ? 4 : 5;
}

}  // namespace

double rms_scale(const Encoding& encoding) {
  double sum = 0.0;
  for (const QuantParams& params : encoding.params()) sum += params.scale * params.scale;
  return std::sqrt(sum / static_cast<double>(encoding.params().size()));
}

std::int64_t count_clipped(const ConstView& real, const Encoding& encoding) {
  const auto outside = [&](std::span<const float> values, std::size_t channel) {
    const double half_step = encoding.params()[channel].scale / 2.0;
    return count_outside(values, encoding.real_min(channel) - half_step, encoding.real_max(channel) + half_step);
  };
  const std::span<const float> values = real.values<float>();
  std::int64_t count = 0;
  for_each_grid_run(real.shape(), encoding, [&](std::int64_t offset, std::int64_t run, std::size_t channel) {
    count += outside(values.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(run)), channel);
  });
  return count;
}

Tensor real_values(const ConstView& codes, const Encoding& encoding) { return dequantize(tensor_of(codes), encoding); }

OffBy off_by(const ConstView& codes, const ConstView& real, const Encoding& encoding) {
  const Tensor others = quantize(tensor_of(real), encoding);
  OffBy counts{};
  visit_dtype(codes.dtype(), [&]<class T>() {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool> && sizeof(T) <= 4) {
      const std::span<const T> a = codes.values<T>();
      const std::span<const T> b = others.values<T>();
      for (std::size_t i = 0; i < a.size(); ++i) {
        ++counts[class_of(std::abs(static_cast<std::int64_t>(a[i]) - static_cast<std::int64_t>(b[i])))];
      }
    }
  });
  return counts;
}

bool overwrite(const ConstView& real, const Encoding& encoding, const MutableView& content) {
  const bool holds_real = content.present() && content.dtype() == DType::kFloat32;
  const bool holds_codes = content.present() && content.dtype() == storage_dtype(encoding.grid());
  if ((!holds_real && !holds_codes) || content.shape() != real.shape()) return false;
  if (holds_codes) {
    quantize_into(real, encoding, content);
  } else {
    dequantize_into(quantize(tensor_of(real), encoding).view(), encoding, content);
  }
  return true;
}

}  // namespace halfstep::compare
