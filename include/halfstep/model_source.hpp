// model_source.hpp: which model to read, and at which shapes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "halfstep/result.hpp"

namespace halfstep {

/// Shapes given on the command line, by input name.
using InputDims = std::map<std::string, std::vector<std::int64_t>, std::less<>>;

/// "1,3,224,224" (or with 'x' between the numbers) to {1, 3, 224, 224}.
/// Errors: kUsage if a part is not a positive integer.
Result<std::vector<std::int64_t>> parse_dims(std::string_view text);

/// A model and how its dynamic dimensions are fixed.
struct ModelSource {
  std::filesystem::path model;
  InputDims input_dims;
};

}  // namespace halfstep
