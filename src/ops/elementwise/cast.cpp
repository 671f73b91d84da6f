// cast.cpp: Cast and CastLike.
#include "ops/elementwise/cast.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "ops/families.hpp"
#include "ops/op_def.hpp"
#include "ops/shared/broadcast.hpp"

namespace halfstep::ops {
namespace {

struct OnnxType {
  std::int64_t number;
  std::string_view name;
  std::optional<DType> dtype;
};

constexpr std::array kOnnxTypes = {
    OnnxType{1, "float", DType::kFloat32},      OnnxType{2, "uint8", DType::kUint8},
    OnnxType{3, "int8", DType::kInt8},          OnnxType{4, "uint16", DType::kUint16},
    OnnxType{5, "int16", DType::kInt16},        OnnxType{6, "int32", DType::kInt32},
    OnnxType{7, "int64", DType::kInt64},        OnnxType{8, "string", std::nullopt},
    OnnxType{9, "bool", DType::kBool},          OnnxType{10, "float16", DType::kFloat32},
    OnnxType{11, "double", DType::kFloat32},    OnnxType{12, "uint32", DType::kUint32},
    OnnxType{13, "uint64", DType::kUint64},     OnnxType{14, "complex64", std::nullopt},
    OnnxType{15, "complex128", std::nullopt},   OnnxType{16, "bfloat16", DType::kFloat32},
    OnnxType{17, "float8e4m3fn", std::nullopt}, OnnxType{18, "float8e4m3fnuz", std::nullopt},
    OnnxType{19, "float8e5m2", std::nullopt},   OnnxType{20, "float8e5m2fnuz", std::nullopt},
    OnnxType{21, "uint4", std::nullopt},        OnnxType{22, "int4", std::nullopt},
    OnnxType{23, "float4e2m1", std::nullopt},   OnnxType{24, "float8e8m0", std::nullopt},
    OnnxType{25, "uint2", std::nullopt},        OnnxType{26, "int2", std::nullopt},
    OnnxType{27, "float6e2m3", std::nullopt},   OnnxType{28, "float6e3m2", std::nullopt},
};

const OnnxType* find_onnx_type(std::int64_t number) {
  const auto at = std::ranges::find(kOnnxTypes, number, &OnnxType::number);
  return at == kOnnxTypes.end() ? nullptr : &*at;
}

template <class From, class To>
To convert(From value) {
  if constexpr (std::is_same_v<From, float> && !std::is_same_v<To, float>) {
    return convert_saturated<To>(static_cast<double>(value));
  } else {
    return static_cast<To>(value);  // Integers wrap (modular in C++20), as ONNX has it.
  }
}

template <class From, class To>
void convert_all(const From* from, To* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = convert<From, To>(from[i]);
}

template <class From>
void convert_from(const From* from, const MutableView& to, std::int64_t count) {
  visit_dtype(to.dtype(), [&]<class To>() {
    if constexpr (std::is_same_v<To, bool>) {
      std::uint8_t* bytes = bool_bytes(to);
      for (std::int64_t i = 0; i < count; ++i) bytes[i] = from[i] != From{0} ? 1 : 0;
    } else {
      convert_all(from, to.data<To>(), count);
    }
  });
}

Result<void> run_cast(const KernelIo& io) {
  if (!has_output(io)) return {};
  const ConstView& x = io.inputs[0];
  const MutableView& y = io.outputs[0];
  const std::int64_t count = x.num_elements();
  if (x.dtype() == y.dtype()) {
    if (x.bytes != y.bytes && count > 0) std::memcpy(y.bytes, x.bytes, static_cast<std::size_t>(x.type->num_bytes()));
    return {};
  }
  visit_dtype(x.dtype(), [&]<class From>() {
    if constexpr (std::is_same_v<From, bool>) {
      // Bytes other than 0 and 1 all mean true.
      visit_dtype(y.dtype(), [&]<class To>() {
        if constexpr (!std::is_same_v<To, bool>) {
          const std::uint8_t* from = bool_bytes(x);
          To* to = y.data<To>();
          for (std::int64_t i = 0; i < count; ++i) to[i] = from[i] != 0 ? To{1} : To{0};
        }
      });
    } else {
      convert_from(x.data<From>(), y, count);
    }
  });
  return {};
}

Result<Inferred> infer_cast(const NodeArgs& args) {
  const std::int64_t* to = args.attributes().find<std::int64_t>("to");
  if (to == nullptr) return Error{ErrorCode::kInvalidInput, "attribute 'to' is missing"};
  const std::optional<DType> dtype = element_type_of(*to);
  if (!dtype.has_value()) {
    return Error{ErrorCode::kUnsupported,
                 "cast to element type " + std::string(onnx_type_name(*to)) + " is not supported"};
  }
  TensorType type{*dtype, args.shape(0)};
  if (const auto ok = check_shape(type.shape, type.dtype); !ok.ok()) return ok.error();
  return Inferred::one(std::move(type));
}

Result<Inferred> infer_cast_like(const NodeArgs& args) {
  TensorType type{args.type(1).dtype, args.shape(0)};
  if (const auto ok = check_shape(type.shape, type.dtype); !ok.ok()) return ok.error();
  return Inferred::one(std::move(type));
}

Result<Prepared> lower_cast(const LowerArgs&) { return Prepared{.run = run_cast, .scratch_bytes = 0, .clamps = false}; }

}  // namespace

std::optional<DType> element_type_of(std::int64_t data_type) {
  const OnnxType* type = find_onnx_type(data_type);
  return type == nullptr ? std::nullopt : type->dtype;
}

std::string_view onnx_type_name(std::int64_t data_type) {
  const OnnxType* type = find_onnx_type(data_type);
  return type == nullptr ? "of unknown number" : type->name;
}

std::span<const OpDef> cast_ops() {
  static const OpDef ops[] = {
      {.type = "Cast",
       .since_opset = 6,
       .in_place = true,
       .keeps_channels_apart = true,
       .infer = infer_cast,
       .lower_float = lower_cast},
      {.type = "CastLike",
       .since_opset = 15,
       .operand_count = {2, 2},
       .in_place = true,
       .keeps_channels_apart = true,
       .infer = infer_cast_like,
       .lower_float = lower_cast},
  };
  return ops;
}

}  // namespace halfstep::ops
