// report_html_tables.hpp: the tables of the HTML report.
#pragma once

#include <string>
#include <vector>

#include "report/report.hpp"
#include "report/report_text.hpp"

namespace halfstep::report::html {

/// Every gate with its verdict. "" without gates.
std::string gate_table(const Report& report);

/// Top-1, top-5, agreement and outside metrics, by form of the model. "" without any.
std::string metric_table(const Report& report);

/// Errors of the outputs, in the model's order.
std::string output_table(const Report& report);

/// Errors of every layer, worst first; sortable by the page's script.
std::string layer_table(const std::vector<PlacedLayer>& layers);

/// What each algorithm did and what that won, its notes behind a fold. "" without any.
std::string tuning_table(const Report& report);

/// What --diagnose found, rung by rung, and what to try next. "" without it.
std::string diagnosis_panel(const Report& report);

/// The curve of quantize --auto_mixed_precision and the layers that it made wider. "" without any.
std::string mixed_precision_panel(const Report& report);

/// What was observed and chosen: activations, and weights behind a fold. "" without any.
std::string range_tables(const std::vector<TensorRange>& ranges);

/// Nodes that stay float, with reasons.
std::string island_table(const std::vector<FloatIsland>& islands);

}  // namespace halfstep::report::html
