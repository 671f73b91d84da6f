// input_spec.hpp: what a sample's files must fit: the model's inputs, and the shapes file sizes give them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/dtype.hpp"
#include "core/shape.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Error messages here continue a sentence that starts with the name of a file
/// or an input.

/// One extent of an input as the model declares it.
struct DeclaredDim {
  std::int64_t extent = -1;  ///< -1: not fixed.
  std::string symbol;        ///< Its name where not fixed; may be empty.
};

/// One input of the model.
struct InputSpec {
  std::string name;
  DType dtype = DType::kFloat32;
  std::optional<std::vector<DeclaredDim>> dims;  ///< Empty: rank unknown.
  std::optional<Shape> fixed;                    ///< Set: by --input_dim; wins over `dims`.
};

/// "float32[N, 3, 224, 224]"; "?" for an extent without a name.
std::string describe(const InputSpec& spec);

/// The shape without any file: all extents known, or all but the first, which
/// then is a batch of 1.
/// Errors: kUsage saying which --input_dim to give.
Result<Shape> default_shape(const InputSpec& spec);

/// The shape of a raw file of `num_bytes` bytes, which solves one unknown extent.
/// Errors: kInvalidInput if the size does not fit, with sizes or shapes that
/// would; kUsage if more than one extent is unknown, saying which --input_dim to give.
Result<Shape> shape_from_size(const InputSpec& spec, std::uint64_t num_bytes);

/// Errors: kInvalidInput if `shape` contradicts what is declared or fixed.
Result<void> check_fits(const InputSpec& spec, const Shape& shape);

}  // namespace halfstep::io
