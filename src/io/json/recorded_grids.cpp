// recorded_grids.cpp: grids to the key "grids" and back.
#include "io/json/recorded_grids.hpp"

#include <cstdint>
#include <vector>

#include "io/json/own_records.hpp"

namespace halfstep::io {
namespace {

constexpr int kWidestBits = 32;  ///< Biases: always whole and symmetric.

/// The lowest code of the grid's storage.
std::int64_t lowest_code(IntGrid grid) { return is_signed(grid) ? -(std::int64_t{1} << (storage_bits(grid) - 1)) : 0; }

/// With the axes of `read`.
Result<Encoding> like(const Encoding& read, IntGrid grid, std::vector<QuantParams> params) {
  if (read.block_axis()) return Encoding::per_block(grid, *read.block_axis(), read.block_size(), std::move(params));
  if (read.axis()) return Encoding::per_channel(grid, *read.axis(), std::move(params));
  return Encoding::per_tensor(grid, params[0]);
}

std::optional<std::int32_t> code_of(const nlohmann::json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  const auto code = value.get<std::int64_t>();
  if (code < INT32_MIN || code > INT32_MAX) return std::nullopt;
  return static_cast<std::int32_t>(code);
}

}  // namespace

std::optional<IntGrid> grid_to_record(const Encoding& encoding, EncodingsVersion version) {
  const IntGrid grid = encoding.grid();
  const int bits = storage_bits(grid);
  if (bits == kWidestBits) return std::nullopt;
  if (grid != (is_signed(grid) ? signed_grid(bits) : unsigned_grid(bits))) return grid;
  return is_signed(grid) && encoding.has_zero_point() && version != EncodingsVersion::k2_0_0 ? std::optional(grid)
                                                                                             : std::nullopt;
}

std::optional<IntGrid> recorded_grid(const nlohmann::json& document, const std::string& tensor) {
  const nlohmann::json* grids = own_object(document, "grids");
  if (grids == nullptr) return std::nullopt;
  const auto at = grids->find(tensor);
  if (at == grids->end() || !at->is_array() || at->size() != 2) return std::nullopt;
  const std::optional<std::int32_t> q_min = code_of((*at)[0]);
  const std::optional<std::int32_t> q_max = code_of((*at)[1]);
  if (!q_min || !q_max || *q_min >= *q_max) return std::nullopt;
  return IntGrid{*q_min, *q_max};
}

Encoding on_recorded_grid(const Encoding& read, IntGrid grid) {
  if (storage_bits(read.grid()) != storage_bits(grid)) return read;
  const std::int64_t shift = lowest_code(grid) - lowest_code(read.grid());
  std::vector<QuantParams> params = read.params();
  for (QuantParams& p : params) {
    const std::int64_t zero_point = p.zero_point + shift;
    if (zero_point < grid.q_min || zero_point > grid.q_max) return read;
    p.zero_point = static_cast<std::int32_t>(zero_point);
  }
  Result<Encoding> encoding = like(read, grid, std::move(params));
  return encoding.ok() ? *std::move(encoding) : read;
}

}  // namespace halfstep::io
