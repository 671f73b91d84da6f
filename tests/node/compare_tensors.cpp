// compare_tensors.cpp: element-wise comparison.
#include "compare_tensors.hpp"

#include <cmath>
#include <sstream>

namespace halfstep::node_tests {
namespace {

bool agree(float actual, float expected, const Tolerance& tolerance) {
  if (std::isnan(expected) || std::isnan(actual)) return std::isnan(expected) && std::isnan(actual);
  if (actual == expected) return true;
  if (std::isinf(expected) || std::isinf(actual)) return false;
  const double error = std::abs(static_cast<double>(actual) - static_cast<double>(expected));
  return error <= tolerance.absolute + tolerance.relative * std::abs(static_cast<double>(expected));
}

}  // namespace

std::string difference(const ConstView& actual, const Tensor& expected, const Tolerance& tolerance) {
  if (*actual.type != expected.type()) {
    return "is " + to_string(*actual.type) + ", expected " + to_string(expected.type());
  }
  std::int64_t num_wrong = 0;
  std::ostringstream first;
  visit_dtype(expected.dtype(), [&]<class T>() {
    const T* a = actual.data<T>();
    const T* b = expected.data<T>();
    for (std::int64_t i = 0; i < expected.num_elements(); ++i) {
      bool same = false;
      if constexpr (std::is_same_v<T, float>) {
        same = agree(a[i], b[i], tolerance);
      } else {
        same = a[i] == b[i];
      }
      if (!same && num_wrong++ == 0) first << "element " << i << " is " << +a[i] << ", expected " << +b[i];
    }
  });
  if (num_wrong == 0) return "";
  return first.str() + " (" + std::to_string(num_wrong) + " of " + std::to_string(expected.num_elements()) +
         " elements differ)";
}

}  // namespace halfstep::node_tests
