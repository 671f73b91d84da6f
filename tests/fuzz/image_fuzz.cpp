// image_fuzz.cpp: a JPEG or PNG file as a photo, which becomes an input, and as a mask.
#include "fuzz_target.hpp"
#include "io/samples/image.hpp"
#include "io/samples/photo_input.hpp"
#include "io/samples/png_image.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  const std::span<const std::byte> file = fuzz::as_bytes(data, size);
  (void)fuzz::succeeded(io::decode_png_indices(file, 4, 4));
  Result<io::DecodedImage> decoded = io::decode_image(file);
  if (!fuzz::succeeded(decoded)) return 0;
  io::Image& image = decoded->image;
  fuzz::expect(image.pixels.size() == static_cast<std::size_t>(image.height * image.row_size()), "pixels are missing");
  if (image.pixels.size() > 1 << 16) return 0;  // Legal, but slow.
  io::InputSpec spec;
  spec.name = "image";
  spec.dims = {{1, ""}, {image.channels, ""}, {5, ""}, {3, ""}};
  Preprocess preprocess;
  preprocess.resize = static_cast<PhotoResize>(size % 3);
  preprocess.filter = size / 3 % 2 == 0 ? PhotoFilter::kBilinear : PhotoFilter::kBicubic;
  preprocess.resampling = size / 6 % 2 == 0 ? Resampling::kPillow : Resampling::kOpenCv;
  preprocess.channels = image.channels == 1 ? PhotoChannels::kGray : PhotoChannels::kRgb;
  const Result<io::PhotoInput> input = io::photo_input(spec, preprocess);
  if (fuzz::succeeded(input)) (void)io::tensor_of(io::fitted(std::move(image), *input), *input);
  return 0;
}
