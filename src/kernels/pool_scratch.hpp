// pool_scratch.hpp: how max_pool() lays out its scratch; internal to this layer.
#pragma once

#include "kernels/pool.hpp"

namespace halfstep::kernels {

/// Half the floats of one row of folded columns with its padding, a multiple of 16. Scratch is four times as much: that
/// row, then its even and its odd columns.
std::int64_t max_pool_row_floats(const MaxPool& args);

}  // namespace halfstep::kernels
