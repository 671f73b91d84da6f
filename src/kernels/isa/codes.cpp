// codes.cpp: codes to centred integers, and codes through a table.
//
// Cost: centring widens a byte and subtracts, one load and one store of twice the size a vector. It is paid once for
// each element of an operand and saves the products the zero point: sum w (q - z) needs no correction by sum w, which
// would be one for every output where padding cuts the sum. Rows are short, so the last vector overlaps the one before:
// a scalar remainder of up to 31 elements would be more instructions than all vectors of such a row. A table look-up is
// one load for the code and one for the entry, of 256 bytes that stay in the first-level cache; there is no gather of
// bytes.
#include "kernels/isa/variant.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// Modulo 2^16, which the contract makes exact.
template <class Q>
std::int16_t centred_code(Q q, std::int32_t zero_point) {
  return static_cast<std::int16_t>(static_cast<std::uint16_t>(q) - static_cast<std::uint16_t>(zero_point));
}

// As many as a register has numbers of 16 bits: the compiler passes parts of larger vectors through memory.
#if defined(__AVX512BW__)
constexpr int kCodesAtOnce = 32;
#elif defined(__AVX2__)
constexpr int kCodesAtOnce = 16;
#else
constexpr int kCodesAtOnce = 8;
#endif

// N codes at once.
template <int N, class Q>
inline void centre_some(const Q* q, std::uint16_t zero_point, std::int16_t* centred) {
  typedef Q Codes __attribute__((vector_size(N * sizeof(Q))));
  typedef std::uint16_t Centred __attribute__((vector_size(N * 2)));  // Modulo 2^16.
  Codes codes;
  __builtin_memcpy(&codes, q, sizeof codes);
  const Centred result = __builtin_convertvector(codes, Centred) - zero_point;
  __builtin_memcpy(centred, &result, sizeof result);
}

// Rows are often a few elements long: the last vector overlaps the one before
// instead of leaving a remainder.
template <int N, class Q>
inline void centre_by(const Q* q, std::int64_t count, std::uint16_t zero_point, std::int16_t* centred) {
  for (std::int64_t i = 0; i + N < count; i += N) centre_some<N>(q + i, zero_point, centred + i);
  centre_some<N>(q + count - N, zero_point, centred + count - N);
}

template <class Q>
void centre(const Q* q, std::int64_t rows, std::int64_t columns, std::int64_t q_stride, std::int32_t zero_point,
            std::int16_t* centred, std::int64_t centred_stride) {
  const auto zero = static_cast<std::uint16_t>(zero_point);
  for (; rows > 0; --rows, q += q_stride, centred += centred_stride) {
    if (columns >= kCodesAtOnce) {
      centre_by<kCodesAtOnce>(q, columns, zero, centred);
    } else if (columns >= 8) {
      centre_by<8>(q, columns, zero, centred);
    } else if (columns >= 4) {
      centre_by<4>(q, columns, zero, centred);
    } else {
      for (std::int64_t i = 0; i < columns; ++i) centred[i] = centred_code(q[i], zero_point);
    }
  }
}

template <class Q>
void centre_two(const Q* even, const Q* odd, std::int64_t count, std::int32_t zero_point, std::int16_t* pairs) {
  for (std::int64_t i = 0; i < count; ++i) {
    pairs[2 * i] = centred_code(even[i], zero_point);
    pairs[2 * i + 1] = odd == nullptr ? std::int16_t{0} : centred_code(odd[i], zero_point);
  }
}

template <class Index, class Entry>
void look_up_bits(const Index* q_x, std::int64_t count, Index flip, const Entry* table, Entry* q_y) {
  for (std::int64_t i = 0; i < count; ++i) q_y[i] = table[static_cast<Index>(q_x[i] ^ flip)];
}

#if defined(__AVX2__)

#if defined(__AVX512BW__)
constexpr int kBytes = 64;
#else
constexpr int kBytes = 32;
#endif
typedef std::uint8_t Bytes __attribute__((vector_size(kBytes)));

// from[index] of 16 bytes; 0 where bit 7 of the index is set. `from` repeats them every 128 bits.
inline Bytes pick(Bytes from, Bytes index) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Bytes>(
      _mm512_shuffle_epi8(reinterpret_cast<__m512i>(from), reinterpret_cast<__m512i>(index)));
#else
  return reinterpret_cast<Bytes>(
      _mm256_shuffle_epi8(reinterpret_cast<__m256i>(from), reinterpret_cast<__m256i>(index)));
#endif
}

inline Bytes add_saturated(Bytes a, Bytes b) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Bytes>(_mm512_adds_epu8(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#else
  return reinterpret_cast<Bytes>(_mm256_adds_epu8(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#endif
}

// 256 bytes are sixteen times 16: an index outside the part at hand becomes 128 or more and picks 0.
inline void look_up_some(const std::uint8_t* q_x, std::uint8_t flip, const Bytes* parts, std::uint8_t* q_y) {
  Bytes index;
  __builtin_memcpy(&index, q_x, sizeof index);
  index ^= flip;
  Bytes result = {};
#pragma GCC unroll 16
  for (int part = 0; part < 16; ++part) {
    result |= pick(parts[part], add_saturated(index - static_cast<std::uint8_t>(16 * part), 0x70 - Bytes{}));
  }
  __builtin_memcpy(q_y, &result, sizeof result);
}

// count >= kBytes; q_x may be q_y.
void look_up_bytes(const std::uint8_t* q_x, std::int64_t count, std::uint8_t flip, const std::uint8_t* table,
                   std::uint8_t* q_y) {
  Bytes parts[16];
  for (int part = 0; part < 16; ++part) {
    for (int lane = 0; lane < kBytes; lane += 16) {
      __builtin_memcpy(reinterpret_cast<std::uint8_t*>(&parts[part]) + lane, table + 16 * part, 16);
    }
  }
  std::int64_t i = 0;
  for (; i + kBytes <= count; i += kBytes) look_up_some(q_x + i, flip, parts, q_y + i);
  for (; i < count; ++i) q_y[i] = table[static_cast<std::uint8_t>(q_x[i] ^ flip)];
}

#else

constexpr int kBytes = 1;

void look_up_bytes(const std::uint8_t* q_x, std::int64_t count, std::uint8_t flip, const std::uint8_t* table,
                   std::uint8_t* q_y) {
  look_up_bits(q_x, count, flip, table, q_y);
}

#endif

}  // namespace

void centre_rows(const void* q, DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t q_stride,
                 std::int32_t zero_point, std::int16_t* centred, std::int64_t centred_stride) {
  switch (dtype) {
    case DType::kInt8:
      return centre(static_cast<const std::int8_t*>(q), rows, columns, q_stride, zero_point, centred, centred_stride);
    case DType::kUint8:
      return centre(static_cast<const std::uint8_t*>(q), rows, columns, q_stride, zero_point, centred, centred_stride);
    case DType::kInt16:
      return centre(static_cast<const std::int16_t*>(q), rows, columns, q_stride, zero_point, centred, centred_stride);
    default:
      return centre(static_cast<const std::uint16_t*>(q), rows, columns, q_stride, zero_point, centred, centred_stride);
  }
}

void centre_codes(const void* q, DType dtype, std::int64_t count, std::int32_t zero_point, std::int16_t* centred) {
  centre_rows(q, dtype, 1, count, count, zero_point, centred, count);
}

void centre_pairs(const void* q_even, const void* q_odd, DType dtype, std::int64_t count, std::int32_t zero_point,
                  std::int16_t* pairs) {
  switch (dtype) {
    case DType::kInt8:
      return centre_two(static_cast<const std::int8_t*>(q_even), static_cast<const std::int8_t*>(q_odd), count,
                        zero_point, pairs);
    case DType::kUint8:
      return centre_two(static_cast<const std::uint8_t*>(q_even), static_cast<const std::uint8_t*>(q_odd), count,
                        zero_point, pairs);
    case DType::kInt16:
      return centre_two(static_cast<const std::int16_t*>(q_even), static_cast<const std::int16_t*>(q_odd), count,
                        zero_point, pairs);
    default:
      return centre_two(static_cast<const std::uint16_t*>(q_even), static_cast<const std::uint16_t*>(q_odd), count,
                        zero_point, pairs);
  }
}

void look_up(const void* q_x, DType x_dtype, std::int64_t count, const void* table, DType y_dtype, void* q_y) {
  const bool is_wide_y = size_in_bytes(y_dtype) == 2;
  const bool is_signed = x_dtype == DType::kInt8 || x_dtype == DType::kInt16;
  if (x_dtype == DType::kInt8 || x_dtype == DType::kUint8) {
    const auto* codes = static_cast<const std::uint8_t*>(q_x);
    const std::uint8_t flip = is_signed ? 0x80 : 0;
    if (is_wide_y) {
      look_up_bits(codes, count, flip, static_cast<const std::uint16_t*>(table), static_cast<std::uint16_t*>(q_y));
    } else if (count >= 4 * kBytes) {
      look_up_bytes(codes, count, flip, static_cast<const std::uint8_t*>(table), static_cast<std::uint8_t*>(q_y));
    } else {
      look_up_bits(codes, count, flip, static_cast<const std::uint8_t*>(table), static_cast<std::uint8_t*>(q_y));
    }
    return;
  }
  const auto* codes = static_cast<const std::uint16_t*>(q_x);
  const std::uint16_t flip = is_signed ? 0x8000 : 0;
  if (is_wide_y) {
    look_up_bits(codes, count, flip, static_cast<const std::uint16_t*>(table), static_cast<std::uint16_t*>(q_y));
  } else {
    look_up_bits(codes, count, flip, static_cast<const std::uint8_t*>(table), static_cast<std::uint8_t*>(q_y));
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
