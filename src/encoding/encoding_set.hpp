// encoding_set.hpp: the encodings of a model, by tensor name, and where each came from.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.hpp"
#include "encoding/encoding.hpp"

namespace halfstep {

/// What role a tensor plays; exporters write the three apart.
enum class TensorRole { kActivation, kWeight, kBias };

/// Where an encoding came from.
enum class Origin {
  kCalibrated,  ///< From an Observation; detail names the method ("min-max").
  kFixed,       ///< By mathematics (Softmax, Sigmoid, ...).
  kShared,      ///< The grid of another tensor; detail is that tensor's name.
  kWeights,     ///< From the values of the constant itself.
  kDerived,     ///< Bias: scale_x * scale_w; detail is the node.
  kImported,    ///< QuantizeLinear/DequantizeLinear of the model, or a file; detail says which.
  kOverridden,  ///< --quantization_overrides; detail is file and entry.
};

struct Provenance {
  Origin origin = Origin::kCalibrated;
  std::string detail;
  std::vector<std::string> changes = {};  ///< What was done to it since, in order: "bias corrected".
};

/// "calibrated (min-max)", "same as 'x'", "calibrated (mse), bias corrected", ...
std::string to_string(const Provenance& provenance);

/// Everything known of how one tensor is quantized.
struct TensorEncoding {
  Encoding encoding;
  TensorRole role = TensorRole::kActivation;
  Provenance provenance;
  /// The stored integers of a weight or bias, in the tensor's shape: int8 or
  /// uint8 up to 8 bits, int16 or uint16 to 16, int32 beyond. Empty for activations.
  std::optional<Tensor> codes;
  /// True: came with the model and wins over calibration.
  bool frozen = false;
};

/// Encodings by tensor name, in the byte order of names (so every listing is stable).
using EncodingSet = std::map<std::string, TensorEncoding, std::less<>>;

/// nullptr if `name` has no encoding.
inline const TensorEncoding* find_encoding(const EncodingSet& set, std::string_view name) {
  const auto at = set.find(name);
  return at == set.end() ? nullptr : &at->second;
}

/// The integers that stand for `real` (float32): per (E1), division by the
/// float32 scale, halves to even, then the zero point, then the clamp. NaN is
/// not allowed. Requires: encoding channels match the shape.
Tensor quantize(const Tensor& real, const Encoding& encoding);

/// The same into existing storage of type storage_dtype(encoding.grid()) and the same shape.
void quantize_into(const ConstView& real, const Encoding& encoding, const MutableView& codes);

/// The float32 values (q - zero_point) * scale of `codes`.
Tensor dequantize(const Tensor& codes, const Encoding& encoding);

/// The same into existing float32 storage of the same shape.
void dequantize_into(const ConstView& codes, const Encoding& encoding, const MutableView& real);

/// The shape of the tensor of scales that ONNX stores: [] per tensor, [C] per channel, per block `shape` with its
/// block axis' extent in blocks. Requires: the axis is one of `shape`'s.
Shape scale_shape(const Encoding& encoding, const Shape& shape);

/// Errors: kInvalidInput if `encoding` is per channel or per block and its axis
/// or its number of scales does not fit `shape`.
Result<void> check_fits(const Encoding& encoding, const Shape& shape);

}  // namespace halfstep
