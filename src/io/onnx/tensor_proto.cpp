// tensor_proto.cpp: tensors of every storage form a TensorProto may have.
#include "io/onnx/tensor_proto.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/errors.hpp"
#include "core/half.hpp"

namespace halfstep::io {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

constexpr int kMaxRank = 32;

enum OnnxType : std::int64_t {
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kBfloat16 = 16,
  kUint4 = 21,
  kInt4 = 22,
  kUint2 = 25,
  kInt2 = 26,
};

constexpr std::array<const char*, 27> kTypeNames = {
    "undefined", "float32",    "uint8",      "int8",         "uint16",         "int16",      "int32",
    "int64",     "string",     "bool",       "float16",      "float64",        "uint32",     "uint64",
    "complex64", "complex128", "bfloat16",   "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz",
    "uint4",     "int4",       "float4e2m1", "float8e8m0",   "uint2",          "int2"};

float float_from_bfloat16(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

// Values beyond float's range become infinities instead of undefined behaviour.
float float_from_double(double value) {
  if (std::abs(value) > static_cast<double>(std::numeric_limits<float>::max())) {
    return std::copysign(std::numeric_limits<float>::infinity(), value < 0 ? -1.0F : 1.0F);
  }
  return static_cast<float>(value);
}

// Element `i` of values packed `bits` to an element, lowest bits first.
int unpack(const std::byte* packed, std::int64_t i, int bits, bool is_signed) {
  const int per_byte = 8 / bits;
  const int shift = static_cast<int>(i % per_byte) * bits;
  const int code = (std::to_integer<int>(packed[i / per_byte]) >> shift) & ((1 << bits) - 1);
  return is_signed && code >= (1 << (bits - 1)) ? code - (1 << bits) : code;
}

template <class T>
T load(const std::byte* bytes, std::int64_t i) {
  T value;
  std::memcpy(&value, bytes + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

Tensor tensor_from_raw(std::int64_t onnx_type, const ElementType& element, TensorType type, RawBytes raw) {
  const std::byte* bytes = raw.bytes.data();
  const std::int64_t count = type.shape.num_elements();
  const bool converts = element.narrow_bits != 0 || onnx_type == kFloat16 || onnx_type == kBfloat16 ||
                        onnx_type == kDouble || onnx_type == kBool;
  const bool aligned = reinterpret_cast<std::uintptr_t>(bytes) % size_in_bytes(type.dtype) == 0;
  if (!converts && aligned && count > 0) return {std::move(type), bytes, std::move(raw.owner)};

  Tensor tensor(std::move(type));
  if (!converts) {
    if (count > 0) std::memcpy(tensor.mutable_bytes(), bytes, raw.bytes.size());
    return tensor;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    if (onnx_type == kFloat16) {
      tensor.mutable_data<float>()[i] = float_of_half(load<std::uint16_t>(bytes, i));
    } else if (onnx_type == kBfloat16) {
      tensor.mutable_data<float>()[i] = float_from_bfloat16(load<std::uint16_t>(bytes, i));
    } else if (onnx_type == kDouble) {
      tensor.mutable_data<float>()[i] = float_from_double(load<double>(bytes, i));
    } else if (onnx_type == kBool) {
      tensor.mutable_data<bool>()[i] = bytes[i] != std::byte{0};
    } else if (element.dtype == DType::kInt8) {
      tensor.mutable_data<std::int8_t>()[i] = static_cast<std::int8_t>(unpack(bytes, i, element.narrow_bits, true));
    } else {
      tensor.mutable_data<std::uint8_t>()[i] = static_cast<std::uint8_t>(unpack(bytes, i, element.narrow_bits, false));
    }
  }
  return tensor;
}

template <class To, class Field>
Tensor converted(TensorType type, const Field& field) {
  Tensor tensor(std::move(type));
  To* out = tensor.mutable_data<To>();
  for (int i = 0; i < field.size(); ++i) out[i] = static_cast<To>(field.Get(i));
  return tensor;
}

// From the typed field that ONNX prescribes for the element type.
Result<Tensor> tensor_from_fields(const onnx::TensorProto& proto, const ElementType& element, TensorType type) {
  const std::int64_t count = type.shape.num_elements();
  const std::int64_t onnx_type = proto.data_type();
  std::int64_t found = proto.int32_data_size();
  std::int64_t expected = count;
  if (onnx_type == kFloat) found = proto.float_data_size();
  if (onnx_type == kDouble) found = proto.double_data_size();
  if (onnx_type == kInt64) found = proto.int64_data_size();
  if (onnx_type == kUint32 || onnx_type == kUint64) found = proto.uint64_data_size();
  if (element.narrow_bits != 0) expected = count / (8 / element.narrow_bits) + (count % (8 / element.narrow_bits) != 0);
  if (found != expected) {
    return invalid("has data for " + std::to_string(found) + " elements, its shape " + to_string(type.shape) +
                   " needs " + std::to_string(expected));
  }
  if (element.narrow_bits != 0) {
    std::vector<std::byte> packed;
    packed.reserve(static_cast<std::size_t>(found));
    for (std::int32_t value : proto.int32_data()) packed.push_back(static_cast<std::byte>(value & 0xff));
    return tensor_from_raw(onnx_type, element, std::move(type), {packed, nullptr});
  }
  switch (onnx_type) {
    case kFloat:
      return converted<float>(std::move(type), proto.float_data());
    case kInt64:
      return converted<std::int64_t>(std::move(type), proto.int64_data());
    case kUint64:
      return converted<std::uint64_t>(std::move(type), proto.uint64_data());
    case kUint32:
      return converted<std::uint32_t>(std::move(type), proto.uint64_data());
    case kUint8:
      return converted<std::uint8_t>(std::move(type), proto.int32_data());
    case kInt8:
      return converted<std::int8_t>(std::move(type), proto.int32_data());
    case kUint16:
      return converted<std::uint16_t>(std::move(type), proto.int32_data());
    case kInt16:
      return converted<std::int16_t>(std::move(type), proto.int32_data());
    case kInt32:
      return converted<std::int32_t>(std::move(type), proto.int32_data());
    case kBool:
      return converted<bool>(std::move(type), proto.int32_data());
    default:
      break;
  }
  Tensor tensor(std::move(type));
  for (int i = 0; i < static_cast<int>(count); ++i) {
    float& out = tensor.mutable_data<float>()[i];
    if (onnx_type == kDouble) {
      out = float_from_double(proto.double_data(i));
    } else {
      const auto bits = static_cast<std::uint16_t>(proto.int32_data(i));
      out = onnx_type == kFloat16 ? float_of_half(bits) : float_from_bfloat16(bits);
    }
  }
  return tensor;
}

}  // namespace

std::string onnx_type_name(std::int64_t onnx_type) {
  if (onnx_type < 0 || onnx_type >= static_cast<std::int64_t>(kTypeNames.size())) {
    return "type " + std::to_string(onnx_type);
  }
  return kTypeNames[static_cast<std::size_t>(onnx_type)];
}

std::int64_t canonical_type_number(std::int64_t onnx_type) {
  return onnx_type == kFloat16 || onnx_type == kBfloat16 || onnx_type == kDouble ? std::int64_t{kFloat} : onnx_type;
}

Result<ElementType> element_type(std::int64_t onnx_type) {
  switch (onnx_type) {
    case kFloat:
      return ElementType{DType::kFloat32, 32, 0};
    case kFloat16:
    case kBfloat16:
      return ElementType{DType::kFloat32, 16, 0};
    case kDouble:
      return ElementType{DType::kFloat32, 64, 0};
    case kUint8:
      return ElementType{DType::kUint8, 8, 0};
    case kInt8:
      return ElementType{DType::kInt8, 8, 0};
    case kUint16:
      return ElementType{DType::kUint16, 16, 0};
    case kInt16:
      return ElementType{DType::kInt16, 16, 0};
    case kInt32:
      return ElementType{DType::kInt32, 32, 0};
    case kInt64:
      return ElementType{DType::kInt64, 64, 0};
    case kBool:
      return ElementType{DType::kBool, 8, 0};
    case kUint32:
      return ElementType{DType::kUint32, 32, 0};
    case kUint64:
      return ElementType{DType::kUint64, 64, 0};
    case kUint4:
      return ElementType{DType::kUint8, 4, 4};
    case kInt4:
      return ElementType{DType::kInt8, 4, 4};
    case kUint2:
      return ElementType{DType::kUint8, 2, 2};
    case kInt2:
      return ElementType{DType::kInt8, 2, 2};
    default:
      break;
  }
  if (onnx_type == 0) return invalid("has no element type");
  return Error{ErrorCode::kUnsupported, "has element type " + onnx_type_name(onnx_type) + ", which is not supported"};
}

Result<RawBytes> NoExternalSource::load(const onnx::TensorProto&, std::int64_t) {
  return invalid("has its data in an external file, which needs the model to be a file too");
}

Result<ReadTensor> read_tensor(onnx::TensorProto& proto, ExternalSource& external) {
  const auto element = element_type(proto.data_type());
  if (!element.ok()) return element.error();
  if (proto.dims_size() > kMaxRank)
    return invalid("has " + std::to_string(proto.dims_size()) + " dimensions, at most 32 are possible");
  if (proto.has_segment()) return Error{ErrorCode::kUnsupported, "is stored in segments, which is not supported"};
  Shape shape{std::vector<std::int64_t>(proto.dims().begin(), proto.dims().end())};
  if (const auto checked = check_shape(shape, element->dtype); !checked.ok()) return checked.error();
  TensorType type{element->dtype, shape};

  const bool is_external = proto.data_location() == onnx::TensorProto::EXTERNAL;
  if (!is_external && !proto.has_raw_data()) {
    auto tensor = tensor_from_fields(proto, *element, std::move(type));
    if (!tensor.ok()) return tensor.error();
    return ReadTensor{std::move(*tensor), element->narrow_bits};
  }
  // No overflow: check_shape bounds the elements, and an element has at most 8 bytes.
  const std::int64_t count = shape.num_elements();
  const std::int64_t needed = element->file_bits >= 8
                                  ? count * (element->file_bits / 8)
                                  : count / (8 / element->file_bits) + (count % (8 / element->file_bits) != 0);
  RawBytes raw;
  if (is_external) {
    auto loaded = external.load(proto, needed);
    if (!loaded.ok()) return loaded.error();
    raw = std::move(*loaded);
  } else {
    auto text = std::make_shared<const std::string>(std::move(*proto.mutable_raw_data()));
    raw.bytes = std::as_bytes(std::span(*text));
    raw.owner = std::move(text);
  }
  if (static_cast<std::int64_t>(raw.bytes.size()) != needed) {
    return invalid("has " + std::to_string(raw.bytes.size()) + " bytes of data, its shape " + to_string(shape) +
                   " needs " + std::to_string(needed));
  }
  return ReadTensor{tensor_from_raw(proto.data_type(), *element, std::move(type), std::move(raw)),
                    element->narrow_bits};
}

}  // namespace halfstep::io
