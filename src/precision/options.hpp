// options.hpp: which options are legal, and the grids they ask for.
#pragma once

#include <string_view>

#include "encoding/range_to_encoding.hpp"
#include "halfstep/quantization_options.hpp"
#include "halfstep/result.hpp"

namespace halfstep::precision {

using Options = QuantizationOptions;

/// Errors: kUsage if a width is none of the above, blocks are of another size or without float activations, or a
/// schema, scale kind and restricted steps contradict each other (check_request).
Result<void> check(const Options& options);

/// "none", "depthwise".
std::string_view name_of(ActPerChannel choice);

/// "weights", "all", "none".
std::string_view name_of(StrictSymmetric choice);

/// The grid activations get; also constant operands of Add, Mul, PRelu and their like.
GridRequest activation_request(const Options& options);

/// The grid weights get: symmetric affine ones are narrow unless options.strict_symmetric says otherwise.
GridRequest weight_request(const Options& options);

}  // namespace halfstep::precision
