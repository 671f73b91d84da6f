// resize_plan.hpp: what every way of applying a resize needs to know of its dimensions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ops/window/resize_spec.hpp"

namespace halfstep::ops {

/// Output positions that take the extrapolation value: slices of the output.
struct OutsideSlices {
  std::int64_t outer = 1;
  std::int64_t extent = 1;
  std::int64_t inner = 1;
  std::vector<std::int64_t> positions;
};

/// `tables` has one entry a dimension of `out`.
std::vector<OutsideSlices> outside_of(const Shape& out, const std::vector<ResizeTable>& tables);

template <class T>
void fill_outside(const std::vector<OutsideSlices>& all, T value, T* out) {
  for (const OutsideSlices& slices : all) {
    for (std::int64_t o = 0; o < slices.outer; ++o) {
      for (const std::int64_t position : slices.positions) {
        std::fill_n(out + (o * slices.extent + position) * slices.inner, slices.inner, value);
      }
    }
  }
}

/// One table a dimension; empty where the dimension is not resized.
std::vector<ResizeTable> tables_of(const ResizeSpec& spec);

Shape input_shape_of(const ResizeSpec& spec);

/// Resized dimensions, those that shrink most first: nothing in between is
/// larger than both input and output.
std::vector<int> pass_order(const ResizeSpec& spec);

}  // namespace halfstep::ops
