// npy_fuzz.cpp: a .npy file as a tensor of each type.
#include "fuzz_target.hpp"
#include "io/samples/npy.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  const std::span<const std::byte> file = fuzz::as_bytes(data, size);
  const Result<io::NpyHeader> header = io::parse_npy_header(file);
  if (!fuzz::succeeded(header)) return 0;
  for (const DType dtype :
       {DType::kFloat32, DType::kInt8, DType::kInt64, DType::kUint8, DType::kUint32, DType::kBool}) {
    const Result<Tensor> tensor = io::parse_npy(file, dtype);
    if (fuzz::succeeded(tensor)) fuzz::expect(tensor->shape() == header->shape, "another shape than the header's");
  }
  return 0;
}
