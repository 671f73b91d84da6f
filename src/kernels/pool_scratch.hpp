// pool_scratch.hpp: how max_pool() lays out its scratch; internal to this layer.
#pragma once

#include "kernels/pool.hpp"

namespace halfstep::kernels {

/// Half the elements of one row of folded columns with its padding, a multiple of what 64 bytes hold. Scratch is four
/// times as much: that row, then its even and its odd columns.
std::int64_t max_pool_row_elements(const MaxPool& args);

}  // namespace halfstep::kernels
