// shard.hpp: a share of the work, for many machines.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace halfstep {

/// Items index, index + count, index + 2 * count, ... of a list of samples or runs, from 0.
struct Shard {
  std::int64_t index = 0;
  std::int64_t count = 1;

  friend bool operator==(const Shard&, const Shard&) = default;
};

/// "0/8": index and count. Empty for any other text.
std::optional<Shard> parse_shard(std::string_view text);

}  // namespace halfstep
