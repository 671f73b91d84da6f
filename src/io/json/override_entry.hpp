// override_entry.hpp: what one entry of an overrides file asks of a tensor.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "encoding/encoding.hpp"
#include "encoding/encoding_target.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// One of encoding, bits and float_bits is set.
struct OverrideEntry {
  std::optional<Encoding> encoding;
  std::optional<int> bits;
  std::optional<int> float_bits;
  std::optional<bool> symmetric;
  std::vector<std::string> warnings;
};

/// Whether the entry says "pattern": true. Errors: kInvalidInput if it says neither true nor false.
Result<bool> says_pattern(const nlohmann::json& entry);

/// True if the entry sets a width and no grid for the tensor that `target` describes.
bool is_width_only(const nlohmann::json& entry, const EncodingTarget& target);

/// For each key that entries of this kind do not have, a message; `in_list`: the entry holds its name.
std::vector<std::string> unknown_entry_keys(const nlohmann::json& entry, bool in_list);

/// What the entry means for the tensor that `target` describes. 32-bit integers on an activation are a width.
/// Errors, without a place: those of read_entry() and read_block_entry(); kInvalidInput for a width without a grid
/// other than 4, 8, 16 or 32, of floats other than 16 or 32, and, unless `asymmetric_channels`, for channels of a
/// parameter that are not symmetric.
Result<OverrideEntry> read_override_entry(const nlohmann::json& entry, const EncodingTarget& target,
                                          bool asymmetric_channels);

}  // namespace halfstep::io
