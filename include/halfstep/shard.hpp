// shard.hpp: a share of the samples, for calibrating on many machines.
#pragma once

#include <cstdint>

namespace halfstep {

/// Samples index, index + count, index + 2 * count, ... of a list, from 0.
struct Shard {
  std::int64_t index = 0;
  std::int64_t count = 1;

  friend bool operator==(const Shard&, const Shard&) = default;
};

}  // namespace halfstep
