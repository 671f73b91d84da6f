// pool_kernels.hpp: window pooling over [N, C, D1], [N, C, D1, D2] or [N, C, D1, D2, D3].
#pragma once

#include <cstdint>

#include "core/dtype.hpp"
#include "ops/node_args.hpp"
#include "ops/window/pool_plan.hpp"

namespace halfstep::ops {

/// How MaxPool numbers positions inside a plane for its Indices output.
enum class StorageOrder { kRowMajor, kColumnMajor };

/// Largest value of each window; a window wholly in padding gives the type's
/// lowest value. `planes` is N * C. `dtype` is float32, int8, uint8, int16 or uint16.
Prepared prepare_max_pool(std::int64_t planes, const PoolAxes& axes, DType dtype);

/// As prepare_max_pool, with the position of the first largest element as
/// second output, int64, counted over the whole input; -1 for a window wholly in padding.
Prepared prepare_max_pool_indices(std::int64_t planes, const PoolAxes& axes, DType dtype, StorageOrder order);

/// Mean of each window, float32; 0 for a window without elements.
Prepared prepare_average_pool(std::int64_t planes, const PoolAxes& axes, PadCounting counting);

/// (sum of |x|^p)^(1/p) of each window, float32. Requires p >= 1.
Prepared prepare_lp_pool(std::int64_t planes, const PoolAxes& axes, std::int64_t p);

}  // namespace halfstep::ops
