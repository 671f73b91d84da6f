// grid_values.cpp: measures of a tensor on a grid, piece by piece.
#include "compare/grid_values.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "encoding/encoding_set.hpp"
#include "encoding/grid_runs.hpp"
#include "kernels/error_sums.hpp"
#include "kernels/quantize.hpp"

namespace halfstep::compare {
namespace {

/// Values that are worked on before the next: they stay in the first-level cache.
constexpr std::int64_t kPieceSize = 2048;

/// Borrowed; the data must outlive it.
Tensor tensor_of(const ConstView& view) { return Tensor(*view.type, view.bytes, nullptr); }

/// The least float32 that is not below `x`, and the greatest that is not above.
float float_from(double x) {
  const auto nearest = static_cast<float>(x);
  return nearest < x ? std::nextafter(nearest, std::numeric_limits<float>::infinity()) : nearest;
}
float float_up_to(double x) { return -float_from(-x); }

/// Values of a run that are more than half a step outside the grid of params()[i].
std::int64_t count_clipped_run(std::span<const float> values, const Encoding& encoding, std::size_t i) {
  const double half_step = encoding.params()[i].scale / 2.0;
  return kernels::count_outside(values.data(), static_cast<std::int64_t>(values.size()),
                                float_from(encoding.real_min(i) - half_step),
                                float_up_to(encoding.real_max(i) + half_step));
}

/// What kernels work on; biases and sums are wider.
bool has_short_codes(DType dtype) { return size_in_bytes(dtype) <= 2; }

std::int64_t code_bytes(DType dtype, std::int64_t count) {
  return count * static_cast<std::int64_t>(size_in_bytes(dtype));
}

void quantize_run_of(const float* real, std::int64_t count, const Encoding& encoding, std::size_t i, std::byte* codes) {
  const QuantParams& p = encoding.params()[i];
  kernels::quantize_codes(real, count, static_cast<float>(p.scale), p.zero_point,
                          {encoding.grid().q_min, encoding.grid().q_max}, storage_dtype(encoding.grid()), codes);
}

void dequantize_run_of(const std::byte* codes, DType dtype, std::int64_t count, const QuantParams& p, float* real) {
  kernels::dequantize_codes(codes, dtype, count, static_cast<float>(p.scale), p.zero_point, real);
}

/// Calls f(offset, count, i) for the grid runs of a tensor, none longer than kPieceSize.
template <class F>
void for_each_short_run(const Shape& shape, const Encoding& encoding, F&& f) {
  for_each_grid_run(shape, encoding, [&](std::int64_t offset, std::int64_t count, std::size_t i) {
    for (std::int64_t done = 0; done < count; done += kPieceSize) {
      f(offset + done, std::min(kPieceSize, count - done), i);
    }
  });
}

/// Calls use(first, values) for the real numbers of short `codes` in order, kPieceSize at a time.
template <class Use>
void for_each_real_piece(const ConstView& codes, const Encoding& encoding, Use&& use) {
  alignas(64) float piece[kPieceSize];
  std::int64_t filled = 0;
  std::int64_t first = 0;
  const auto hand_over = [&] {
    use(first, std::span<const float>(piece, static_cast<std::size_t>(filled)));
    first += std::exchange(filled, 0);
  };
  for_each_grid_run(codes.shape(), encoding, [&](std::int64_t offset, std::int64_t count, std::size_t i) {
    while (count > 0) {
      const std::int64_t size = std::min(count, kPieceSize - filled);
      dequantize_run_of(codes.bytes + code_bytes(codes.dtype(), offset), codes.dtype(), size, encoding.params()[i],
                        piece + filled);
      filled += size;
      offset += size;
      count -= size;
      if (filled == kPieceSize) hand_over();
    }
  });
  if (filled > 0) hand_over();
}

/// The same for real numbers as they are.
template <class Use>
void for_each_piece_of(std::span<const float> values, Use&& use) {
  for (std::size_t first = 0; first < values.size(); first += kPieceSize) {
    const std::size_t size = std::min<std::size_t>(kPieceSize, values.size() - first);
    use(static_cast<std::int64_t>(first), values.subspan(first, size));
  }
}

/// How many of `count` codes are how far from those of `other`. Differences and counts are as narrow as the codes of a
/// piece allow, so that many share a register.
template <class T>
void count_distances(const T* codes, const T* other, std::int64_t count, OffBy& counts) {
  using Wide =
      std::conditional_t<sizeof(T) == 1, std::int16_t, std::conditional_t<sizeof(T) == 2, std::int32_t, std::int64_t>>;
  static_assert(kPieceSize <= std::numeric_limits<std::int16_t>::max());
  constexpr Wide kFrom[kNumOffByClasses] = {0, 1, 2, 3, 5, 9};  // Where each class begins.
  std::int64_t reaching = count;
  for (std::size_t k = 0; k < kNumOffByClasses; ++k) {
    Wide beyond = 0;  // As far as the next class begins, or farther.
    const std::int64_t num_left = k + 1 < kNumOffByClasses && reaching > 0 ? count : 0;
    const Wide next = kFrom[std::min(k + 1, kNumOffByClasses - 1)];
    for (std::int64_t i = 0; i < num_left; ++i) {
      const auto difference = static_cast<Wide>(static_cast<Wide>(codes[i]) - static_cast<Wide>(other[i]));
      const auto distance = static_cast<Wide>(difference < 0 ? -difference : difference);
      beyond = static_cast<Wide>(beyond + (distance >= next ? 1 : 0));
    }
    counts[k] += reaching - beyond;
    reaching = beyond;
  }
}

template <class F>
void visit_grid_codes(DType dtype, F&& f) {
  visit_dtype(dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool> && sizeof(T) <= 4) f.template operator()<T>();
  });
}

}  // namespace

double rms_scale(const Encoding& encoding) {
  double sum = 0.0;
  for (const QuantParams& params : encoding.params()) sum += params.scale * params.scale;
  return std::sqrt(sum / static_cast<double>(encoding.params().size()));
}

std::int64_t count_clipped(const ConstView& real, const Encoding& encoding) {
  const std::span<const float> values = real.values<float>();
  std::int64_t count = 0;
  for_each_grid_run(real.shape(), encoding, [&](std::int64_t offset, std::int64_t run, std::size_t i) {
    count +=
        count_clipped_run(values.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(run)), encoding, i);
  });
  return count;
}

ErrorSums errors_of(const ConstView& reference, const ConstView& other, const Encoding* encoding,
                    const Encoding* clipping, std::int64_t* num_clipped) {
  const std::span<const float> expected = reference.values<float>();
  Tensor wide;
  if (encoding != nullptr && !has_short_codes(other.dtype())) wide = dequantize(tensor_of(other), *encoding);
  const bool clips_pieces = clipping != nullptr && clipping->is_per_tensor();
  std::int64_t clipped = clipping == nullptr || clips_pieces ? 0 : count_clipped(reference, *clipping);
  std::int64_t next_to_count = 0;  // Pieces may come twice.
  const ErrorSums sums = sums_of_pieces([&](const AddPiece& add_piece) {
    const auto add = [&](std::int64_t first, std::span<const float> actual) {
      const std::span<const float> piece = expected.subspan(static_cast<std::size_t>(first), actual.size());
      add_piece(piece, actual);
      if (!clips_pieces || first != next_to_count) return;
      clipped += count_clipped_run(piece, *clipping, 0);
      next_to_count += static_cast<std::int64_t>(piece.size());
    };
    if (encoding == nullptr) {
      for_each_piece_of(other.values<float>(), add);
    } else if (has_short_codes(other.dtype())) {
      for_each_real_piece(other, *encoding, add);
    } else {
      for_each_piece_of(wide.values<float>(), add);
    }
  });
  if (num_clipped != nullptr) *num_clipped += clipped;
  return sums;
}

ErrorsOfTwo errors_of_two(const ConstView& reference, const ConstView& first, const ConstView& second,
                          const Encoding* encoding, const Encoding* clipping, std::int64_t* num_clipped) {
  const bool same_type = first.dtype() == second.dtype() && has_short_codes(first.dtype());
  if (encoding != nullptr && encoding->is_per_tensor() && same_type) {
    const QuantParams& p = encoding->params().front();
    const std::int64_t count = reference.num_elements();
    const bool clips_pieces = clipping != nullptr && clipping->is_per_tensor();
    std::int64_t clipped = clipping == nullptr || clips_pieces ? 0 : count_clipped(reference, *clipping);
    kernels::ErrorLanes first_lanes;
    kernels::ErrorLanes second_lanes;
    alignas(64) float first_piece[kPieceSize];
    alignas(64) float second_piece[kPieceSize];
    for (std::int64_t done = 0; done < count; done += kPieceSize) {
      const std::int64_t size = std::min(kPieceSize, count - done);
      const std::int64_t offset = code_bytes(first.dtype(), done);
      const float* expected = reference.data<float>() + done;
      dequantize_run_of(first.bytes + offset, first.dtype(), size, p, first_piece);
      dequantize_run_of(second.bytes + offset, first.dtype(), size, p, second_piece);
      kernels::add_errors_of_two(expected, first_piece, second_piece, size, first_lanes, second_lanes);
      if (clips_pieces) clipped += count_clipped_run({expected, static_cast<std::size_t>(size)}, *clipping, 0);
    }
    const ErrorsOfTwo errors{sums_of_lanes(first_lanes, count), sums_of_lanes(second_lanes, count)};
    if (errors.first.is_valid()) {
      if (num_clipped != nullptr) *num_clipped += clipped;
      return errors;
    }
  }
  return {errors_of(reference, first, encoding, clipping, num_clipped), errors_of(reference, second, encoding)};
}

OffBy off_by(const ConstView& codes, const ConstView& real, const Encoding& encoding) {
  OffBy counts{};
  if (!has_short_codes(codes.dtype())) {
    const Tensor others = quantize(tensor_of(real), encoding);
    visit_grid_codes(codes.dtype(), [&]<class T>() {
      count_distances(codes.data<T>(), others.data<T>(), codes.num_elements(), counts);
    });
    return counts;
  }
  alignas(64) std::byte piece[2 * kPieceSize];
  for_each_short_run(codes.shape(), encoding, [&](std::int64_t offset, std::int64_t count, std::size_t i) {
    quantize_run_of(real.data<float>() + offset, count, encoding, i, piece);
    visit_grid_codes(codes.dtype(), [&]<class T>() {
      count_distances(codes.data<T>() + offset, reinterpret_cast<const T*>(piece), count, counts);
    });
  });
  return counts;
}

bool overwrite(const ConstView& real, const Encoding& encoding, const MutableView& content) {
  const DType dtype = storage_dtype(encoding.grid());
  const bool holds_real = content.present() && content.dtype() == DType::kFloat32;
  const bool holds_codes = content.present() && content.dtype() == dtype;
  if ((!holds_real && !holds_codes) || content.shape() != real.shape()) return false;
  if (!has_short_codes(dtype)) {
    const Tensor codes = quantize(tensor_of(real), encoding);
    if (holds_real) dequantize_into(codes.view(), encoding, content);
    if (holds_codes) std::copy_n(codes.bytes(), codes.num_bytes(), content.bytes);
    return true;
  }
  alignas(64) std::byte piece[2 * kPieceSize];
  for_each_short_run(real.shape(), encoding, [&](std::int64_t offset, std::int64_t count, std::size_t i) {
    std::byte* codes = holds_codes ? content.bytes + code_bytes(dtype, offset) : piece;
    quantize_run_of(real.data<float>() + offset, count, encoding, i, codes);
    if (holds_real) dequantize_run_of(codes, dtype, count, encoding.params()[i], content.data<float>() + offset);
  });
  return true;
}

}  // namespace halfstep::compare
