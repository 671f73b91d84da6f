// npy_writer.hpp: tensors as .npy files, which numpy.load() reads.
#pragma once

#include <filesystem>

#include "core/tensor.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Writes `tensor` with its type and shape: header version 1.0, C order. The file appears whole or not at all.
/// Errors: kInvalidInput with the path and the system's reason.
Result<void> write_npy(const std::filesystem::path& path, ConstView tensor);

}  // namespace halfstep::io
