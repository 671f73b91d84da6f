// tensor_proto.hpp: from ONNX element types and TensorProtos to DTypes and Tensors.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/tensor.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Bytes somebody keeps alive.
struct RawBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

/// Where tensors with data_location EXTERNAL find their data.
class ExternalSource {
 public:
  virtual ~ExternalSource() = default;
  virtual Result<RawBytes> load(const onnx::TensorProto& proto, std::int64_t needed_bytes) = 0;
};

/// For models that have no folder: every external tensor is an error.
class NoExternalSource : public ExternalSource {
 public:
  Result<RawBytes> load(const onnx::TensorProto& proto, std::int64_t needed_bytes) override;
};

/// An element type of a file and how it is held here.
struct ElementType {
  DType dtype = DType::kFloat32;
  int file_bits = 32;   ///< Bits of one element in raw data.
  int narrow_bits = 0;  ///< As graph::Value::narrow_bits.
};

/// Errors: kUnsupported naming the type, for strings, complex numbers, float8 and unknown numbers.
Result<ElementType> element_type(std::int64_t onnx_type);

/// "float16", "string", "type 77": how messages name TensorProto.DataType numbers.
std::string onnx_type_name(std::int64_t onnx_type);

/// The number that stands for `onnx_type` in attributes here: float16, bfloat16
/// and double become float (1), the rest stays.
std::int64_t canonical_type_number(std::int64_t onnx_type);

struct ReadTensor {
  Tensor tensor;
  int narrow_bits = 0;
};

/// Takes raw data out of `proto`, sharing it where its type and alignment allow.
/// Errors: kInvalidInput if the data does not fit the shape, kUnsupported for element types.
Result<ReadTensor> read_tensor(onnx::TensorProto& proto, ExternalSource& external);

}  // namespace halfstep::io
