// range_report.hpp: what calibration saw of every tensor, what it chose and what that costs, for the report.
#pragma once

#include "calib/observe.hpp"
#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "report/report.hpp"

namespace halfstep::pipeline {

/// Fills Report::ranges, histograms and activation_order. `observations`: what calibration kept of the activations of
/// `graph`; those without a value in any sample get no entry. Histograms are those of the worst tensors by
/// report.comparison, and of tensors it does not know by the SQNR that their histogram lets expect of rounding onto the
/// grid.
void put_ranges(const graph::Graph& graph, const EncodingSet& encodings, const calib::Observations& observations,
                report::Report& report);

}  // namespace halfstep::pipeline
