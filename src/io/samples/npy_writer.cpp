// npy_writer.cpp: a header, then the elements.
#include "io/samples/npy_writer.hpp"

#include <bit>
#include <span>
#include <string>

#include "core/atomic_file.hpp"

namespace halfstep::io {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are written as they are");

/// Elements begin at a multiple of this.
constexpr std::size_t kNpyAlignment = 64;

char npy_kind(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return 'f';
    case DType::kBool:
      return 'b';
    case DType::kInt8:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
      return 'i';
    default:
      return 'u';
  }
}

/// "(1, 3, 224, 224)", "(5,)", "()".
std::string npy_shape(const Shape& shape) {
  std::string text = "(";
  for (int axis = 0; axis < shape.rank(); ++axis) text += (axis > 0 ? ", " : "") + std::to_string(shape[axis]);
  return text + (shape.rank() == 1 ? ",)" : ")");
}

std::string npy_header(const TensorType& type) {
  const std::size_t size = size_in_bytes(type.dtype);
  const std::string descr = std::string(size == 1 ? "|" : "<") + npy_kind(type.dtype) + std::to_string(size);
  std::string text = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + npy_shape(type.shape) + ", }";
  const std::size_t used = 10 + text.size() + 1;  // Magic, version and length; the line feed at the end.
  text.append((kNpyAlignment - used % kNpyAlignment) % kNpyAlignment, ' ');
  text += '\n';
  std::string header = "\x93NUMPY";
  header += '\x01';
  header += '\0';
  header += static_cast<char>(text.size() & 0xFF);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

}  // namespace

Result<void> write_npy(const std::filesystem::path& path, ConstView tensor) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file.ok()) return file.error();
  if (auto written = file->write(npy_header(*tensor.type)); !written.ok()) return written;
  const std::span elements(tensor.bytes, static_cast<std::size_t>(tensor.type->num_bytes()));
  if (auto written = file->write(elements); !written.ok()) return written;
  return file->commit();
}

}  // namespace halfstep::io
