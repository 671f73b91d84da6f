// photo_input.hpp: from a photo to the tensor that an input is fed.
#pragma once

#include "core/tensor.hpp"
#include "halfstep/preprocess.hpp"
#include "halfstep/result.hpp"
#include "io/samples/image.hpp"
#include "io/samples/input_spec.hpp"

namespace halfstep::io {

/// How photos become one input: everything about it that no photo changes.
struct PhotoInput {
  Preprocess preprocess;
  PhotoSize size;
  PhotoLayout layout = PhotoLayout::kNchw;
  TensorType type;  ///< float32 or uint8, [1, C, H, W], [1, H, W, C], or without the batch.
};

/// Errors: kUsage, continuing a sentence that starts with the input's name, if it is none for photos (type, rank,
/// batch, channels), if nothing says its size or layout, or if its size is another one than preprocess.size.
Result<PhotoInput> photo_input(const InputSpec& spec, const Preprocess& preprocess);

/// The photo in the input's size and channels, levels from 0 to 255; colours in the order red, green, blue.
Image fitted(Image photo, const PhotoInput& input);

/// What is fed: the channels in their order, (level - mean) / std or (level - mean) * scale, or for uint8 the levels.
/// Requires an image that fitted() made.
Tensor tensor_of(const Image& image, const PhotoInput& input);

}  // namespace halfstep::io
