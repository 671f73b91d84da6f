// samples.hpp: where the inputs of a run come from.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "halfstep/result.hpp"

namespace halfstep::exec {

/// A numbered set of samples. All members are thread-safe.
struct SampleSource {
  std::int64_t count = 0;
  /// Tensors of sample i in the order of Graph::inputs; read anew on every call.
  std::function<Result<std::vector<Tensor>>(std::int64_t)> load;
  /// "calib.txt:3": where sample i is listed, for messages.
  std::function<std::string(std::int64_t)> place;
};

}  // namespace halfstep::exec
