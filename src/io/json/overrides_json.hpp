// overrides_json.hpp: encodings files as what their writer asks for, tensor by tensor.
//
// AIMET encodings of versions 0.4.0 to 2.1.0 and QNN's dialect of them (--quantization_overrides). Entries may name
// tensors by patterns, and tensors that preparing the model removed; entries without a grid set a width only.
// Source: AIMET documentation, "Encoding Format Specification"; QNN documentation, "Quantization Overrides".
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "encoding/encoding.hpp"
#include "encoding/encoding_target.hpp"
#include "encoding/moved_name.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// What a file asks of one tensor. One of encoding, bits and float_bits is set.
struct Override {
  std::string tensor;                ///< A name of the targets.
  std::string place;                 ///< "ov.json:12: activation_encodings 'x'", for messages and provenance.
  std::optional<Encoding> encoding;  ///< A whole grid.
  std::optional<int> bits;           ///< Integers of this width (4, 8, 16, 32), the range left to calibration.
  std::optional<int> float_bits;     ///< 16 or 32: to stay real numbers of this width.
  std::optional<bool> symmetric;     ///< With bits only: is_symmetric.
};

/// At most one override for each tensor: an entry of its name goes before one that moved to it, then come entries of
/// the constant it is a clone of, then patterns, of which the last in the file wins.
struct OverridesFile {
  std::vector<Override> overrides;    ///< In the order of the file; of one entry in the order of tensors' names.
  std::vector<std::string> warnings;  ///< In the order of the file.
};

/// What reading needs to know of the model.
struct OverrideContext {
  EncodingTargets targets;  ///< The tensors of the prepared model.
  bool lenient = false;  ///< What is wrong with one entry is a warning, and the entry (or the unknown key) is skipped.
  /// Not null: activations that a fused Relu or Clip limits and that have a grid of their own in the file join it, and
  /// are no errors: a model that is prepared without fusing there has a place for them.
  std::set<std::string>* limited = nullptr;
  /// Where a tensor of the user's model went that is no target; empty for a name that the model never had. May be
  /// empty itself.
  std::function<std::optional<MovedName>(const std::string& name)> find_moved;
};

/// Reads the file with this text; `file` is its name in messages.
///
/// Names: a name that holds '*' and is no tensor's, or an entry with "pattern": true, is a pattern over the targets of
/// its section's kind: '*' is any run of characters, '?' (with "pattern": true) any one. An entry for a constant that
/// preparing cloned is for the clones NAME_copy, NAME_copy_2, ..., too. An entry of a tensor that is gone moves to the
/// one with the same values; one that sets a width only also to the nearest activation behind it. The
/// grid of what a fused Relu or Clip limits needs no place if it is the one that the file gives the limited tensor; a
/// constant that is a bound of such a clamp has a warning.
/// Grids: as read_encodings(); block-wise scales as well. An activation of 32-bit integers is a width, no grid.
/// Errors: kInvalidInput, with file, line and entry, whatever `lenient` is: not JSON, a section missing (both of the
/// versions below 2 must be there) or of another kind, two entries of one name. If not lenient also: an unknown
/// version, name (with the nearest one), key or section for the tensor's kind, a missing or mistyped field, a width out
/// of range, a number of channels that is not the tensor's, channels of a parameter that are not symmetric, a whole
/// grid for a tensor that is gone; kUnsupported for floating-point formats of 8 bits and less and
/// for zero points between two codes.
Result<OverridesFile> read_overrides(std::string_view text, const std::string& file, const OverrideContext& context);

}  // namespace halfstep::io
