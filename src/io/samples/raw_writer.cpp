// raw_writer.cpp: tensors as raw little-endian bytes.
#include "io/samples/raw_writer.hpp"

#include <bit>
#include <span>

#include "core/atomic_file.hpp"

namespace halfstep::io {

static_assert(std::endian::native == std::endian::little, "raw files are little-endian and copied as they are");

Result<void> write_raw(const std::filesystem::path& path, ConstView tensor) {
  return write_file(path, std::span(tensor.bytes, static_cast<std::size_t>(tensor.type->num_bytes())));
}

}  // namespace halfstep::io
