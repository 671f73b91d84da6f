// weight_tiles.cpp: weights cut up for instructions that saturate sums of two products of bytes.
//
// vpmaddubsw forms x0 * w0 + x1 * w1 in 16 bits, x at most 255: nothing saturates while the positive weights of a
// 16-bit lane add up to at most 128 and the negative ones to at least -128 (255 * 128 = 32640). That holds as well for
// sums of several such lanes in 16 bits, if it holds for all their weights together. So a group of k whose lanes are
// too heavy in some row occurs twice, with a part of the weights each; then groups, which may come in any order, are
// paired such that both together are light enough, and one widening to 32 bits serves both.
#include "kernels/weight_tiles.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <utility>

namespace halfstep::kernels {
namespace {

constexpr std::int16_t kMostOfLane = 128;
constexpr std::size_t kLanesOfTile = 2 * kWeightTileRows;

using Lanes = std::array<std::int16_t, kLanesOfTile>;

// A group of k with the weights of a tile, and the sums of the positive and of the negative weights of each lane.
struct TileGroup {
  std::int32_t k_group = 0;
  std::int32_t heaviest = 0;  // The largest of the sums.
  std::array<std::int32_t, kWeightTileRows> quads = {};
  Lanes positive = {};
  Lanes negative = {};  // Without their signs.

  bool has_weights() const {
    return std::ranges::any_of(quads, [](std::int32_t quad) { return quad != 0; });
  }
};

void set_sums(TileGroup& group) {
  const auto pairs = std::bit_cast<Lanes>(group.quads);
  std::int16_t heaviest = 0;
  for (std::size_t lane = 0; lane < kLanesOfTile; ++lane) {
    const auto bits = static_cast<std::uint16_t>(pairs[lane]);
    const auto w0 = static_cast<std::int16_t>(static_cast<std::int16_t>(bits << 8U) >> 8);
    const auto w1 = static_cast<std::int16_t>(pairs[lane] >> 8);
    const auto positive = static_cast<std::int16_t>(std::max<std::int16_t>(w0, 0) + std::max<std::int16_t>(w1, 0));
    const auto negative = static_cast<std::int16_t>(-std::min<std::int16_t>(w0, 0) - std::min<std::int16_t>(w1, 0));
    group.positive[lane] = positive;
    group.negative[lane] = negative;
    heaviest = std::max(heaviest, std::max(positive, negative));
  }
  group.heaviest = heaviest;
}

// No lane of both together has more than kMostOfLane: four sums of two at once.
bool fit_together(const TileGroup& a, const TileGroup& b) {
  using Words = std::array<std::uint64_t, kLanesOfTile / 4>;
  constexpr std::uint64_t kOnes = 0x0001000100010001U;
  constexpr std::uint64_t kCarries = (255 - kMostOfLane) * kOnes;  // Bit 8 of a sum is set from kMostOfLane + 1 on.
  const auto a_positive = std::bit_cast<Words>(a.positive);
  const auto a_negative = std::bit_cast<Words>(a.negative);
  const auto b_positive = std::bit_cast<Words>(b.positive);
  const auto b_negative = std::bit_cast<Words>(b.negative);
  std::uint64_t sums = 0;
  for (std::size_t i = 0; i < a_positive.size(); ++i) {
    sums |= (a_positive[i] + b_positive[i] + kCarries) | (a_negative[i] + b_negative[i] + kCarries);
  }
  return (sums & (256 * kOnes)) == 0;
}

// Takes from two weights of one sign what they have beyond kMostOfLane, from the larger one first.
std::array<std::int8_t, 2> cut_excess(std::int8_t& w0, std::int8_t& w1) {
  std::array<std::int8_t, 2> rest = {};
  const std::int32_t sum = w0 + w1;
  const std::int32_t excess = sum > kMostOfLane ? sum - kMostOfLane : (sum < -kMostOfLane ? sum + kMostOfLane : 0);
  if ((w0 < 0) != (w1 < 0) || excess == 0) return rest;
  const bool first_is_larger = std::abs(std::int32_t{w0}) >= std::abs(std::int32_t{w1});
  std::int8_t& larger = first_is_larger ? w0 : w1;
  larger = static_cast<std::int8_t>(larger - excess);
  rest[first_is_larger ? 0 : 1] = static_cast<std::int8_t>(excess);
  return rest;
}

// Leaves in `group` what fits; returns the rest.
TileGroup cut(TileGroup& group) {
  TileGroup rest{.k_group = group.k_group};
  for (std::size_t row = 0; row < kWeightTileRows; ++row) {
    auto weights = std::bit_cast<std::array<std::int8_t, 4>>(group.quads[row]);
    const auto low = cut_excess(weights[0], weights[1]);
    const auto high = cut_excess(weights[2], weights[3]);
    group.quads[row] = std::bit_cast<std::int32_t>(weights);
    rest.quads[row] = std::bit_cast<std::int32_t>(std::array<std::int8_t, 4>{low[0], low[1], high[0], high[1]});
  }
  return rest;
}

std::vector<TileGroup> groups_of_tile(const PackedLeft& left, std::int64_t first_row) {
  std::vector<TileGroup> groups;
  const std::int64_t rows = std::min(kWeightTileRows, left.rows - first_row);
  for (std::int64_t g = 0; g < left.k_groups; ++g) {
    TileGroup group{.k_group = static_cast<std::int32_t>(g)};
    for (std::int64_t row = 0; row < rows; ++row) {
      group.quads[static_cast<std::size_t>(row)] =
          left.groups[static_cast<std::size_t>((first_row + row) * left.k_groups + g)];
    }
    if (!group.has_weights()) continue;
    set_sums(group);
    if (group.heaviest <= kMostOfLane) {
      groups.push_back(group);
      continue;
    }
    TileGroup rest = cut(group);
    set_sums(group);
    groups.push_back(group);
    set_sums(rest);
    groups.push_back(rest);
  }
  return groups;
}

// The heaviest first, those of one weight in their order.
std::vector<TileGroup> by_weight(const std::vector<TileGroup>& groups) {
  std::array<std::size_t, kMostOfLane + 2> place = {};  // place[w]: of the next one that weighs kMostOfLane - w.
  for (const TileGroup& group : groups) ++place[static_cast<std::size_t>(kMostOfLane - group.heaviest + 1)];
  std::partial_sum(place.begin(), place.end(), place.begin());
  std::vector<TileGroup> sorted(groups.size());
  for (const TileGroup& group : groups) sorted[place[static_cast<std::size_t>(kMostOfLane - group.heaviest)]++] = group;
  return sorted;
}

struct Pairing {
  std::vector<std::pair<const TileGroup*, const TileGroup*>> pairs;
  std::vector<const TileGroup*> singles;
};

// For each of `groups`, which come by weight, the heaviest of those left that fits, of the next few; else the lightest
// if that fits.
Pairing pair_groups(const std::vector<TileGroup>& groups) {
  constexpr int kMaxTries = 24;
  Pairing pairing;
  std::vector<char> is_taken(groups.size(), 0);
  std::size_t end = groups.size();  // All from here on are taken.
  for (std::size_t i = 0; i < end; ++i) {
    while (end > i && is_taken[end - 1] != 0) --end;
    if (i >= end || is_taken[i] != 0) continue;
    std::size_t found = 0;
    int tries = 0;
    for (std::size_t j = i + 1; j < end && tries < kMaxTries && found == 0; ++j) {
      if (is_taken[j] != 0) continue;
      ++tries;
      if (fit_together(groups[i], groups[j])) found = j;
    }
    if (found == 0 && end - 1 > i && fit_together(groups[i], groups[end - 1])) found = end - 1;
    is_taken[i] = 1;
    if (found == 0) {
      pairing.singles.push_back(&groups[i]);
    } else {
      is_taken[found] = 1;
      pairing.pairs.emplace_back(&groups[i], &groups[found]);
    }
  }
  return pairing;
}

}  // namespace

void add_weight_tiles(PackedLeft& left) {
  for (std::int64_t row = 0; row < left.rows; row += kWeightTileRows) {
    const std::vector<TileGroup> groups = by_weight(groups_of_tile(left, row));
    const auto [pairs, singles] = pair_groups(groups);
    const auto doubles = static_cast<std::int64_t>(pairs.size());
    const auto rest = static_cast<std::int64_t>(singles.size());
    const std::size_t first = left.steps.size();
    left.tiles.push_back({.first = static_cast<std::int64_t>(first), .doubles = doubles, .singles = rest});
    left.steps.resize(first + static_cast<std::size_t>(doubles * kDoubleSize + rest * kSingleSize));
    std::int32_t* to = left.steps.data() + first;
    for (const auto& [a, b] : pairs) {
      *to++ = a->k_group;
      *to++ = b->k_group;
      for (std::size_t r = 0; r < kWeightTileRows; ++r) {
        *to++ = a->quads[r];
        *to++ = b->quads[r];
      }
    }
    for (const TileGroup* single : singles) {
      *to++ = single->k_group;
      to = std::ranges::copy(single->quads, to).out;
    }
  }
}

}  // namespace halfstep::kernels
