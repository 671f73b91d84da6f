// npy.cpp: the elements of a .npy file, converted.
#include "io/samples/npy.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace halfstep::io {
namespace {

static_assert(std::endian::native == std::endian::little, "little-endian elements are read as they are");

// An IEEE half, as stored.
struct Half {
  std::uint16_t bits;
};

// Exact: float32 has every half, subnormals included.
float to_float(Half half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half.bits & 0x8000U) << 16;
  const std::uint32_t exponent = half.bits >> 10 & 0x1FU;
  const std::uint32_t fraction = half.bits & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide_exponent = exponent == 0x1FU ? 0xFFU : exponent + 112U;
  return std::bit_cast<float>(sign | wide_exponent << 23 | fraction << 13);
}

// Floating to float32: rounded, but a finite value stays finite. False if `to` cannot hold it.
bool convert(double from, float& to) {
  if (std::isfinite(from) && std::abs(from) > static_cast<double>(std::numeric_limits<float>::max())) return false;
  to = static_cast<float>(from);
  return true;
}

// Anything to integers and bools, and integers to float32: exactly. A cast is
// made only where its result is defined.
template <class From, class To>
bool convert(From from, To& to) {
  if constexpr (std::is_same_v<To, bool>) {
    to = from != From{0};
    return from == From{0} || from == From{1};
  } else if constexpr (std::is_floating_point_v<From>) {
    // Both bounds are powers of two, or zero, and so exact.
    const double limit = std::ldexp(1.0, std::numeric_limits<To>::digits);
    const double value = from;
    if (!(value < limit) || value < (std::is_signed_v<To> ? -limit : 0.0) || value != std::floor(value)) return false;
    to = static_cast<To>(value);
    return true;
  } else if constexpr (std::is_same_v<To, float>) {
    // 2^24 bounds the integers that float32 holds without gaps.
    constexpr std::int64_t kExact = std::int64_t{1} << 24;
    if (std::cmp_greater(from, kExact) || std::cmp_less(from, -kExact)) return false;
    to = static_cast<float>(from);
    return true;
  } else {
    to = static_cast<To>(from);
    return std::in_range<To>(from);
  }
}

// The stored types by header: calls f.operator()<Stored>().
template <class F>
decltype(auto) visit_stored(const NpyHeader& header, F&& f) {
  switch (header.kind) {
    case 'f':
      if (header.element_bytes == 2) return f.template operator()<Half>();
      if (header.element_bytes == 4) return f.template operator()<float>();
      return f.template operator()<double>();
    case 'i':
      if (header.element_bytes == 1) return f.template operator()<std::int8_t>();
      if (header.element_bytes == 2) return f.template operator()<std::int16_t>();
      if (header.element_bytes == 4) return f.template operator()<std::int32_t>();
      return f.template operator()<std::int64_t>();
    default:
      if (header.element_bytes == 1) return f.template operator()<std::uint8_t>();
      if (header.element_bytes == 2) return f.template operator()<std::uint16_t>();
      if (header.element_bytes == 4) return f.template operator()<std::uint32_t>();
      return f.template operator()<std::uint64_t>();
  }
}

template <class Stored, class To>
bool convert_stored(Stored stored, To& to) {
  if constexpr (std::is_same_v<Stored, Half>) {
    return convert_stored(to_float(stored), to);
  } else if constexpr (std::is_same_v<Stored, float> && std::is_same_v<To, float>) {
    to = stored;
    return true;
  } else {
    return convert(stored, to);
  }
}

// Strides, in elements, of the stored array by axis of the tensor.
std::vector<std::int64_t> stored_strides(const NpyHeader& header) {
  if (!header.fortran_order) return strides_of(header.shape);
  std::vector<std::int64_t> strides;
  std::int64_t stride = 1;
  for (std::int64_t extent : header.shape) {
    strides.push_back(stride);
    stride *= extent;
  }
  return strides;
}

// Walks the stored array in the tensor's row-major order.
struct Cursor {
  explicit Cursor(const NpyHeader& header) : strides(stored_strides(header)), at(strides.size(), 0) {}

  void advance(const Shape& shape) {
    for (std::size_t axis = strides.size(); axis-- > 0;) {
      offset += strides[axis];
      if (++at[axis] < shape[static_cast<int>(axis)]) return;
      offset -= strides[axis] * at[axis];
      at[axis] = 0;
    }
  }

  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> at;
  std::int64_t offset = 0;  // In elements.
};

// Fills `target` row-major. The position of the first element it cannot hold, or -1.
template <class Stored, class To>
std::int64_t convert_all(const NpyHeader& header, Cursor& cursor, const std::byte* data, To* target) {
  const std::int64_t count = header.shape.num_elements();
  for (std::int64_t position = 0; position < count; ++position) {
    Stored stored;
    std::memcpy(&stored, data + (header.fortran_order ? cursor.offset : position) * std::int64_t{sizeof(Stored)},
                sizeof(Stored));
    if (!convert_stored(stored, target[position])) return position;
    if (header.fortran_order) cursor.advance(header.shape);
  }
  return -1;
}

}  // namespace

Result<Tensor> parse_npy(std::span<const std::byte> file, DType dtype) {
  const Result<NpyHeader> header = parse_npy_header(file);
  if (!header.ok()) return header.error();
  if (auto checked = check_shape(header->shape, dtype); !checked.ok()) {
    return Error{ErrorCode::kInvalidInput, "has a wrong shape: " + checked.error().message};
  }
  Tensor tensor(TensorType{dtype, header->shape});
  const std::byte* data = file.data() + header->data_offset;
  Cursor cursor(*header);
  const std::int64_t failed = visit_stored(*header, [&]<class Stored>() -> std::int64_t {
    return visit_dtype(dtype, [&]<class To>() -> std::int64_t {
      return convert_all<Stored>(*header, cursor, data, tensor.mutable_data<To>());
    });
  });
  if (failed >= 0) {
    return Error{ErrorCode::kInvalidInput, "holds at element " + std::to_string(failed) + " a value (of type " +
                                               header->kind + std::to_string(header->element_bytes) +
                                               ") that is not exact as " + std::string(name_of(dtype))};
  }
  return tensor;
}

}  // namespace halfstep::io
