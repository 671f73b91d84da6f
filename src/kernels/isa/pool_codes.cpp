// pool_codes.cpp: pooling over planes of codes.
//
// The rows under one row of windows are folded into one, in vectors, and with stride 2 split into its even and its odd
// columns; then every tap along the width is a load at a constant distance.
//
// Cost of 3x3 windows with stride 2, for a vector of outputs: 6 loads and 6 comparisons fold two vectors of columns, 2
// loads, shuffles and stores split them, 3 loads and comparisons and one store make the outputs; the load ports bind.
#include "kernels/isa/variant.hpp"
#include "kernels/pool_scratch.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// A register: the compiler passes parts of larger vectors through memory.
#if defined(__AVX512BW__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
template <class T>
struct VectorOf {
  typedef T Type __attribute__((vector_size(kVectorBytes)));
  static constexpr std::int64_t kLanes = kVectorBytes / static_cast<std::int64_t>(sizeof(T));
};
template <class T>
using Vector = typename VectorOf<T>::Type;

template <class V, class T>
inline V load(const T* from) {
  V v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

template <class V, class T>
inline void store(V v, T* to) {
  __builtin_memcpy(to, &v, sizeof v);
}

template <class V>
inline V larger(V a, V b) {
  return b > a ? b : a;
}

template <class T>
constexpr T lowest() {
  return static_cast<T>(-1) > T{0} ? T{0} : static_cast<T>(-1 << (8 * sizeof(T) - 1));
}

// folded[x] = the largest of `rows` rows, `stride` apart, in column x, N columns at a time; the last vector overlaps
// the one before. Requires width >= N.
template <int N, class T>
void fold_rows_by(const T* from, std::int64_t rows, std::int64_t stride, std::int64_t width, T* folded) {
  typedef T V __attribute__((vector_size(N * sizeof(T))));
  for (std::int64_t x = 0; x < width; x += N) {
    if (x > width - N) x = width - N;
    V best = lowest<T>() - V{};
    for (std::int64_t r = 0; r < rows; ++r) best = larger(best, load<V>(from + r * stride + x));
    store(best, folded + x);
  }
}

template <class T>
void fold_rows(const T* from, std::int64_t rows, std::int64_t stride, std::int64_t width, T* folded) {
  constexpr std::int64_t kLanes = VectorOf<T>::kLanes;
  if (width >= kLanes) return fold_rows_by<kLanes>(from, rows, stride, width, folded);
  if (width >= kLanes / 2) return fold_rows_by<kLanes / 2>(from, rows, stride, width, folded);
  if (width >= kLanes / 4) return fold_rows_by<kLanes / 4>(from, rows, stride, width, folded);
  for (std::int64_t x = 0; x < width; ++x) folded[x] = lowest<T>();
  for (std::int64_t r = 0; r < rows; ++r, from += stride) {
    for (std::int64_t x = 0; x < width; ++x) folded[x] = from[x] > folded[x] ? from[x] : folded[x];
  }
}

// The even and the odd elements of two vectors. Codes are halves of numbers twice as wide.
template <class Code, class Wide>
inline void split_codes(const void* from, Code* even, Code* odd) {
  constexpr int kBits = 8 * sizeof(Code);
  constexpr std::int64_t kLanes = VectorOf<Wide>::kLanes;
  typedef Code Half __attribute__((vector_size(kVectorBytes / 2)));
  for (int i = 0; i < 2; ++i) {
    const auto pairs = load<Vector<Wide>>(static_cast<const Wide*>(from) + i * kLanes);
    store(__builtin_convertvector(pairs, Half), even + i * kLanes);
    store(__builtin_convertvector(pairs >> kBits, Half), odd + i * kLanes);
  }
}
inline void split_vectors(const std::uint8_t* from, std::uint8_t* even, std::uint8_t* odd) {
  split_codes<std::uint8_t, std::uint16_t>(from, even, odd);
}
inline void split_vectors(const std::int8_t* from, std::int8_t* even, std::int8_t* odd) {
  split_codes<std::int8_t, std::int16_t>(from, even, odd);
}
inline void split_vectors(const std::uint16_t* from, std::uint16_t* even, std::uint16_t* odd) {
  split_codes<std::uint16_t, std::uint32_t>(from, even, odd);
}
inline void split_vectors(const std::int16_t* from, std::int16_t* even, std::int16_t* odd) {
  split_codes<std::int16_t, std::int32_t>(from, even, odd);
}

// The first `count` of a vector's lanes.
template <class T>
inline void store_some(Vector<T> v, std::int64_t count, T* to) {
  T lanes[VectorOf<T>::kLanes];
  store(v, lanes);
  constexpr auto kPiece = static_cast<std::int64_t>(8 / sizeof(T));
  if (count < kPiece) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = lanes[i];
    return;
  }
  for (std::int64_t i = 0; i + kPiece < count; i += kPiece) __builtin_memcpy(to + i, lanes + i, 8);
  __builtin_memcpy(to + count - kPiece, lanes + count - kPiece, 8);
}

// The largest of `taps` columns for each of `count` windows; tap k of window x is parity[k % S][x + k / S].
template <int S, class T>
void fold_columns(const T* const* parity, std::int64_t taps, std::int64_t count, T* out) {
  constexpr std::int64_t kLanes = VectorOf<T>::kLanes;
  for (std::int64_t x = 0; x < count; x += kLanes) {
    if (x > count - kLanes && count >= kLanes) x = count - kLanes;
    Vector<T> best = lowest<T>() - Vector<T>{};
    for (std::int64_t k = 0; k < taps; ++k) best = larger(best, load<Vector<T>>(parity[k % S] + x + k / S));
    if (count >= kLanes) {
      store(best, out + x);
    } else {
      store_some(best, count, out);
    }
  }
}

template <class T>
void max_pool_of(const MaxPool& p, T* scratch) {
  constexpr std::int64_t kLanes = VectorOf<T>::kLanes;
  const std::int64_t half = max_pool_row_elements(p);
  T* folded = scratch;  // 2 * half, then even and odd columns.
  T* even = folded + 2 * half;
  T* odd = even + half;
  for (std::int64_t x = 0; x < 2 * half; ++x) folded[x] = lowest<T>();
  for (std::int64_t plane = 0; plane < p.planes; ++plane) {
    const T* in = static_cast<const T*>(p.input) + plane * p.in_h * p.in_w;
    T* out = static_cast<T*>(p.output) + plane * p.out_h * p.out_w;
    for (std::int64_t y = 0; y < p.out_h; ++y, out += p.out_w) {
      const std::int64_t top = y * p.stride_h - p.pad_top;
      const std::int64_t first = top < 0 ? 0 : top;
      const std::int64_t last = top + p.kernel_h < p.in_h ? top + p.kernel_h : p.in_h;
      fold_rows(in + first * p.in_w, last - first, p.in_w, p.in_w, folded + p.pad_left);
      if (p.stride_w == 1) {
        fold_columns<1>(&folded, p.kernel_w, p.out_w, out);
      } else {
        for (std::int64_t x = 0; x < half; x += kLanes) split_vectors(folded + 2 * x, even + x, odd + x);
        T* parity[2] = {even, odd};
        fold_columns<2>(parity, p.kernel_w, p.out_w, out);
      }
    }
  }
}

}  // namespace

void max_pool_codes(const MaxPool& p, void* scratch) {
  switch (p.dtype) {
    case DType::kInt8:
      return max_pool_of(p, static_cast<std::int8_t*>(scratch));
    case DType::kUint8:
      return max_pool_of(p, static_cast<std::uint8_t*>(scratch));
    case DType::kInt16:
      return max_pool_of(p, static_cast<std::int16_t*>(scratch));
    default:
      return max_pool_of(p, static_cast<std::uint16_t*>(scratch));
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
