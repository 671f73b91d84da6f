// sensitivity_charts.hpp: the charts of a sensitivity report's page.
#pragma once

#include <string>

#include "report/sensitivity_report.hpp"

namespace halfstep::report::html {

/// SQNR of the outputs with only one layer quantized, by layer in network order: both parts, weights, activations.
/// "" where that was not measured.
std::string only_chart(const SensitivityReport& report);

/// By how many dB the outputs get better without one layer's quantization, by layer in network order. "" where that
/// was not measured.
std::string gain_chart(const SensitivityReport& report);

}  // namespace halfstep::report::html
