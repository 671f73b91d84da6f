// compare_tensors.hpp: is a tensor what a test expects?
#pragma once

#include <string>

#include "core/tensor.hpp"

namespace halfstep::node_tests {

/// |actual - expected| <= absolute + relative * |expected|.
struct Tolerance {
  double relative = 1e-3;
  double absolute = 1e-7;
};

/// "" if equal: type and shape exactly, integers and bools exactly, floats
/// within `tolerance`, NaN equal to NaN. Else the first difference and their number.
std::string difference(const ConstView& actual, const Tensor& expected, const Tolerance& tolerance);

}  // namespace halfstep::node_tests
