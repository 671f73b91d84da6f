// block_entries.hpp: entries with a grid for each block of a tensor, each version's to our terms.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "encoding/encoding.hpp"
#include "encoding/encoding_target.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Blocks of `block_size` elements along `axis`, each with a grid of its own; the last of a row may be shorter.
struct RawBlocks {
  IntGrid grid;
  int axis = 0;
  std::int64_t block_size = 0;
  /// Row-major in the tensor's shape with the extent of `axis` divided by block_size, rounded up.
  std::vector<QuantParams> params;
};

/// True for PER_BLOCK and LPBQ of version 1, and for version 2 with a block size, a scale that is itself quantized, or
/// scales in lists of lists.
bool is_block_entry(const nlohmann::json& entry);

/// Reads an entry for which is_block_entry() holds. Version 1 stores no axes: blocks lie along the input channels (the
/// axis behind the channels' if that is the first, else before it) and run fastest in lists, which have a row of them
/// for each channel, or, in our own files, for each place along all other axes.
/// Scales with an extent of 1 count for the whole axis.
/// Errors: kInvalidInput, without a place, for a missing or mistyped field and for scales that do not fit the tensor's
/// shape; kUnsupported for floating-point formats. Source: AIMET documentation, "Encoding Format Specification".
Result<RawBlocks> read_block_entry(const nlohmann::json& entry, const EncodingTarget& target);

/// The blocks as an Encoding. Errors: those of its factory.
Result<Encoding> encoding_of(const RawBlocks& blocks);

}  // namespace halfstep::io
