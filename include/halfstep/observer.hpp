// observer.hpp: how long work tells its caller what is going on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace halfstep {

/// Callbacks of a running verb; either may be empty. Called from one thread at a time.
struct Observer {
  /// `done` of `total` samples of `stage` ("calibrating", "comparing", ...) are finished.
  std::function<void(std::string_view stage, std::int64_t done, std::int64_t total)> progress;
  /// One line that does not stop the work.
  std::function<void(const std::string&)> warning;
};

}  // namespace halfstep
