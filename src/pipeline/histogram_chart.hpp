// histogram_chart.hpp: histograms of tensors as reports show them, and which tensors deserve one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "calib/dyadic_histogram.hpp"
#include "compare/comparison.hpp"
#include "encoding/encoding.hpp"
#include "report/report.hpp"

namespace halfstep::pipeline {

/// A report shows the histograms of at most so many tensors.
inline constexpr std::size_t kMaxHistograms = 12;

/// Neighbouring bins joined until at most 128 are left, and the grid. Requires: the histogram is not empty.
report::TensorHistogram histogram_of(std::string name, const calib::DyadicHistogram& histogram,
                                     const Encoding& encoding);

/// A tensor's name and an SQNR in dB: infinite or NaN where there is no ratio.
using RankedTensor = std::pair<double, std::string_view>;

/// Every layer with its own SQNR, or that of the whole network where no isolated one was measured. Names are those of
/// `comparison`.
std::vector<RankedTensor> sqnr_of_layers(const compare::Comparison& comparison);

/// The `max_count` worst ones: NaN, then lowest SQNR first, ties by name.
std::vector<std::string_view> worst_of(std::vector<RankedTensor> tensors, std::size_t max_count = kMaxHistograms);

}  // namespace halfstep::pipeline
