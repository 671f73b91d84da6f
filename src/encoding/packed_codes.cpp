// packed_codes.cpp: gathers slices and packs them.
#include "encoding/packed_codes.hpp"

namespace halfstep {

std::string pack_4_bits(const Tensor& codes, std::optional<int> axis) {
  const Shape& shape = codes.shape();
  const std::int64_t outer = axis ? shape.num_elements(0, *axis) : 1;
  const std::int64_t slices = axis ? shape[*axis] : 1;
  const std::int64_t inner = axis ? shape.num_elements(*axis + 1, shape.rank()) : shape.num_elements();
  const std::int64_t slice_bytes = (outer * inner + 1) / 2;
  std::string packed(static_cast<std::size_t>(slices * slice_bytes), '\0');
  for (std::int64_t slice = 0; slice < slices; ++slice) {
    for (std::int64_t i = 0; i < outer * inner; ++i) {
      const std::int64_t element = (i / inner * slices + slice) * inner + i % inner;
      const unsigned nibble = static_cast<unsigned>(codes.bytes()[static_cast<std::size_t>(element)]) & 0xFU;
      char& byte = packed[static_cast<std::size_t>(slice * slice_bytes + i / 2)];
      byte = static_cast<char>(static_cast<unsigned char>(byte) | (nibble << (i % 2 * 4)));
    }
  }
  return packed;
}

}  // namespace halfstep
