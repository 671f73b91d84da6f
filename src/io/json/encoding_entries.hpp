// encoding_entries.hpp: single entries of encodings files, each version's to our terms.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "encoding/encoding.hpp"
#include "encoding/encoding_target.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// One entry, whatever the version it came in.
struct RawEntry {
  bool is_float = false;  ///< The tensor is to stay float; only float_bits says more.
  int float_bits = 32;    ///< 16 or 32.
  IntGrid grid;
  std::vector<QuantParams> params;
  bool per_channel = false;          ///< Said so explicitly, or has several scales.
  std::optional<std::int64_t> axis;  ///< Version 2 stores it; may be negative.
  std::vector<std::string> warnings;
};

/// Versions 0.4 to 0.6: a list of objects with bitwidth, min and max.
/// Errors: kInvalidInput, kUnsupported; they name the field, not the entry.
Result<RawEntry> read_entry_0(const nlohmann::json& list);

/// Version 1: an object with bw, scale and offset.
Result<RawEntry> read_entry_1(const nlohmann::json& entry);

/// Version 2: an object with output_dtype and y_scale.
Result<RawEntry> read_entry_2(const nlohmann::json& entry);

/// Whichever of the three `entry` looks like.
Result<RawEntry> read_entry(const nlohmann::json& entry);

/// What `raw`, which is not float, means for the tensor that `target` describes.
/// Errors: those of Encoding's factories; kInvalidInput for channels that the tensor does not have.
Result<Encoding> encoding_of(const RawEntry& raw, const EncodingTarget& target);

/// "uint8" and its like. Errors: kUnsupported.
Result<IntGrid> grid_of_dtype(const std::string& dtype);

/// A grid and the zero point on it.
struct OffsetGrid {
  IntGrid grid;
  std::int32_t zero_point = 0;
};

/// What an offset of version 1 means. Offsets count from the lowest code: 0 to -(2^bits - 1).
/// Errors: kInvalidInput for one off the grid, or in the middle of none if `symmetric`.
Result<OffsetGrid> grid_of_offset(std::int64_t offset, int bits, bool symmetric);

}  // namespace halfstep::io
