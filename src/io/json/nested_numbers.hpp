// nested_numbers.hpp: numbers in lists of lists, as a tensor.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "core/shape.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Calls visit(index) for every index of `shape`, row-major.
template <class Visit>
void for_each_index(const Shape& shape, Visit visit) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()), 0);
  for (std::int64_t n = shape.num_elements(); n > 0; --n) {
    visit(std::span<const std::int64_t>(index));
    for (int axis = shape.rank() - 1; axis >= 0 && ++index[static_cast<std::size_t>(axis)] == shape[axis]; --axis) {
      index[static_cast<std::size_t>(axis)] = 0;
    }
  }
}

/// One number for each element of `shape`, row-major, from a number, a list along `axis`, or lists of lists in the
/// order of the axes. An extent of 1 counts for the whole axis, and so do axes at the end that the lists do not have.
/// Errors: kInvalidInput, naming `key`, for what is no number, for lists of unequal length and extents that do not fit.
Result<std::vector<double>> spread_numbers(const nlohmann::json& value, const Shape& shape, int axis, const char* key);

}  // namespace halfstep::io
