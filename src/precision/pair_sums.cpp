// pair_sums.cpp: the two largest and the two smallest weights of each row.
#include "precision/pair_sums.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace halfstep::precision {
namespace {

constexpr int kLargestByte = 255;

/// Of a row seen so far. Zeros stand in for weights that are not there: they change no sum.
struct Extremes {
  std::array<int, 2> largest{};   // The first is the larger one.
  std::array<int, 2> smallest{};  // The first is the smaller one.

  void add(int weight) {
    if (weight > largest[1]) largest[1] = weight;
    if (largest[1] > largest[0]) std::swap(largest[0], largest[1]);
    if (weight < smallest[1]) smallest[1] = weight;
    if (smallest[1] < smallest[0]) std::swap(smallest[0], smallest[1]);
  }
};

}  // namespace

std::optional<UnsafePair> unsafe_pair(const Tensor& codes, std::optional<int> axis) {
  std::int64_t rows = 1;
  std::int64_t inner = 1;
  if (axis) {
    rows = codes.shape()[*axis];
    for (int d = *axis + 1; d < codes.shape().rank(); ++d) inner *= codes.shape()[d];
  }
  std::vector<Extremes> of_row(static_cast<std::size_t>(rows));
  const std::span<const std::int8_t> weights = codes.values<std::int8_t>();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::int64_t row = axis ? static_cast<std::int64_t>(i) / inner % rows : 0;
    of_row[static_cast<std::size_t>(row)].add(weights[i]);
  }
  for (std::size_t row = 0; row < of_row.size(); ++row) {
    for (const auto& [first, second] : {of_row[row].largest, of_row[row].smallest}) {
      const int sum = kLargestByte * (first + second);
      if (sum > INT16_MAX || sum < INT16_MIN) return UnsafePair{first, second, static_cast<std::int64_t>(row)};
    }
  }
  return std::nullopt;
}

}  // namespace halfstep::precision
