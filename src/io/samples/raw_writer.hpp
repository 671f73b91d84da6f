// raw_writer.hpp: tensors as raw little-endian bytes.
#pragma once

#include <filesystem>

#include "core/tensor.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Writes the elements of `tensor`, row-major, without a header. The file
/// appears whole or not at all.
/// Errors: kInvalidInput with the path and the system's reason.
Result<void> write_raw(const std::filesystem::path& path, ConstView tensor);

}  // namespace halfstep::io
