// other_grids.hpp: a quantized model with other grids on some tensors, to measure what that would win.
#pragma once

#include <set>
#include <span>
#include <string>

#include "calib/observe.hpp"
#include "encoding/quantized_graph.hpp"
#include "sensitivity/groups.hpp"
#include "sensitivity/partial.hpp"

namespace halfstep::pipeline {

/// Names of tensors.
using Names = std::set<std::string, std::less<>>;

/// The same range on so many bits, at most 16, every point of the old grid on the new one; itself if it has as many.
Encoding on_bits(const Encoding& encoding, int bits);

/// `part` of `groups` on_bits(); weights are the float model's then, and their layers' biases stay real.
/// `partial`: of `model`.
QuantizedGraph with_bits(const QuantizedGraph& model, const sensitivity::PartialQuantization& partial,
                         std::span<const sensitivity::QuantizerGroup* const> groups, sensitivity::Part part, int bits);

/// Activations `names` on grids of their own kind and width over the ranges that `method` chooses for what was
/// observed, which needs histograms for some. Those that were not observed stay.
/// Errors: those of fit_grid().
Result<QuantizedGraph> with_new_ranges(const QuantizedGraph& model, const Names& names,
                                       const calib::Observations& observed, RangeMethod method);

/// The weights `names` of `groups` on grids of their own kind and width over the ranges of the float model's values,
/// one for each output channel where that is asked for and the layer has them.
/// Errors: those of precision::fit_channels().
Result<QuantizedGraph> with_new_weights(const QuantizedGraph& model, const sensitivity::PartialQuantization& partial,
                                        std::span<const sensitivity::QuantizerGroup* const> groups, const Names& names,
                                        bool per_channel);

}  // namespace halfstep::pipeline
