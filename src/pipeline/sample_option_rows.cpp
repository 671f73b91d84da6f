// sample_option_rows.cpp: rows about photos as samples.
#include <array>

#include "pipeline/option_parts.hpp"

namespace halfstep::pipeline {
namespace {

Result<void> set_images(QuantizeRequest& request, const std::string& text) {
  request.input_images = text;
  return {};
}
std::optional<std::string> get_images(const QuantizeRequest& request) {
  if (request.input_images.empty()) return std::nullopt;
  return request.input_images.string();
}

Result<void> set_preprocess(QuantizeRequest& request, const std::string& text) {
  request.preprocess = text;
  return {};
}
std::optional<std::string> get_preprocess(const QuantizeRequest& request) {
  if (request.preprocess.empty()) return std::nullopt;
  return request.preprocess;
}

}  // namespace

std::span<const OptionRow<QuantizeRequest>> sample_rows() {
  static const std::array<OptionRow<QuantizeRequest>, 2> kRows{{
      {.name = "input_images",
       .type = "DIR",
       .default_text = "none",
       .help = "calibrate on the JPEG and PNG files below this folder, instead of `--input_list` (docs/photos.md)",
       .set = set_images,
       .get = get_images},
      {.name = "preprocess",
       .type = "NAME|FILE.json",
       .default_text = "as the model records it",
       .help =
           "how photos become inputs: torchvision, tensorflow, caffe, unit, yolo-letterbox, none, or a file of your "
           "own; recorded in the model (docs/photos.md)",
       .set = set_preprocess,
       .get = get_preprocess},
  }};
  return kRows;
}

}  // namespace halfstep::pipeline
