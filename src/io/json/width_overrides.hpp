// width_overrides.hpp: an overrides file that says how wide tensors are and nothing else (docs/overrides.md).
#pragma once

#include <string>
#include <vector>

namespace halfstep::io {

struct WidthOverride {
  std::string tensor;
  int bits = 8;
  bool real = false;  ///< Real numbers of so many bits.
};

struct WidthOverrides {
  std::vector<WidthOverride> activations;
  std::vector<WidthOverride> parameters;
};

/// A file of version 0.6.1, an entry a line, in the order given.
std::string write_width_overrides(const WidthOverrides& overrides);

}  // namespace halfstep::io
