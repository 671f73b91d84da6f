// option_parts.hpp: the parts of precision_options() and quantize_options() that have a file of their own.
#pragma once

#include <span>

#include "halfstep/options.hpp"

namespace halfstep::pipeline {

/// Grids of the whole model.
std::span<const OptionRow<QuantizationOptions>> grid_rows();
/// What differs from them.
std::span<const OptionRow<QuantizationOptions>> mixed_precision_rows();
/// Photos as samples.
std::span<const OptionRow<QuantizeRequest>> sample_rows();
/// Encodings from elsewhere.
std::span<const OptionRow<QuantizeRequest>> override_rows();
/// Automatic mixed precision.
std::span<const OptionRow<QuantizeRequest>> mixed_precision_search_rows();

}  // namespace halfstep::pipeline
