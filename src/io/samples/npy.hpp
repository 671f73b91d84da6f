// npy.hpp: arrays as numpy.save() writes them (.npy, header versions 1 to 3).
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "core/tensor.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Error messages here continue a sentence that starts with the file's name.

/// What the header of a .npy file says.
struct NpyHeader {
  char kind = 'f';        ///< 'f' float, 'i' signed, 'u' unsigned, 'b' bool.
  int element_bytes = 4;  ///< 1, 2, 4 or 8; at least 2 for floats.
  bool fortran_order = false;
  Shape shape;  ///< Passed check_shape().
  std::size_t data_offset = 0;
};

/// Reads the header of a .npy file and checks that exactly its data follows.
/// Errors: kInvalidInput saying what is malformed or not supported: big-endian,
/// structured, complex or text elements.
Result<NpyHeader> parse_npy_header(std::span<const std::byte> file);

/// The array of a whole .npy file as a row-major tensor of `dtype`. Floating
/// elements are rounded to float32 if `dtype` is that; every other conversion
/// must keep each value exactly.
/// Errors: as parse_npy_header(); also a value that `dtype` cannot hold.
Result<Tensor> parse_npy(std::span<const std::byte> file, DType dtype);

}  // namespace halfstep::io
