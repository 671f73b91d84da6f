// requantize.hpp: rows of accumulators to codes, and codes to centred integers.
#pragma once

#include <cstdint>

#include "core/dtype.hpp"
#include "numerics/fixed_point.hpp"

namespace halfstep::kernels {

/// q[i] = numerics::requantize(acc[i] + bias, r), bit for bit, for `count` accumulators of one output channel.
/// `q` holds codes of type `dtype`: int8, uint8, int16 or uint16.
/// Requires: acc[i] + bias stays in int32; r's grid fits `dtype`.
void requantize_row(const std::int32_t* acc, std::int64_t count, std::int32_t bias, const numerics::Requantizer& r,
                    DType dtype, void* q);

/// The same with numerics::requantize_wide on 64-bit accumulators.
void requantize_row_wide(const std::int64_t* acc, std::int64_t count, std::int64_t bias, const numerics::Requantizer& r,
                         DType dtype, void* q);

/// centred[i] = q[i] - zero_point. Requires: every difference a code of `dtype` can give fits int16
/// (always so at 8 bits), or the caller has chosen zero_point as 32768 for uint16 and 0 for int16.
void centre_codes(const void* q, DType dtype, std::int64_t count, std::int32_t zero_point, std::int16_t* centred);

/// The same for `rows` rows of `columns` codes: from row to row `q_stride` codes and `centred_stride` elements.
void centre_rows(const void* q, DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t q_stride,
                 std::int32_t zero_point, std::int16_t* centred, std::int64_t centred_stride);

/// Two rows as int_gemm() wants them: pairs[2 * i] = q_even[i] - zero_point, pairs[2 * i + 1] = q_odd[i] - zero_point,
/// or 0 if `q_odd` is null. Requires what centre_codes() does.
void centre_pairs(const void* q_even, const void* q_odd, DType dtype, std::int64_t count, std::int32_t zero_point,
                  std::int16_t* pairs);

/// q_y[i] = table[q_x[i] - q_x_min] where q_x_min is the lowest value of `x_dtype`:
/// 256 entries for 8-bit codes, 65,536 for 16-bit ones. Entries have the type `y_dtype`.
void look_up(const void* q_x, DType x_dtype, std::int64_t count, const void* table, DType y_dtype, void* q_y);

}  // namespace halfstep::kernels
