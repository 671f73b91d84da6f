// encodings_json.hpp: AIMET encodings files.
//
// Versions 0.4.0 to 2.0.0 are read, 0.6.1, 1.0.0 and 2.0.0 written. In versions
// below 2 a grid always counts from 0 to 2^bw - 1 and real = scale * (q + offset):
// offset = -zero_point on our unsigned grids, -(zero_point + 2^(bw-1)) on signed
// ones. Version 2 has the fields of ONNX QuantizeLinear, and our signs.
// Source: AIMET documentation, "Encoding Format Specification".
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "encoding/encoding_target.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

enum class EncodingsVersion { k0_6_1, k1_0_0, k2_0_0 };

/// The version an option names ("1.0.0").
/// Errors: kUsage listing the versions.
Result<EncodingsVersion> encodings_version(std::string_view text);

/// "1.0.0".
std::string_view name_of(EncodingsVersion version);

/// Where the codes of one weight lie in a file of packed ones.
struct PackedWeight {
  std::int64_t offset = 0;       ///< In bytes.
  std::int64_t bytes = 0;        ///< Of all channels.
  std::int64_t channels = 1;     ///< Each begins at a byte of its own.
  std::optional<int> axis = {};  ///< Of the channels.
  Shape shape;                   ///< Of the weight.
};

/// What a file says beside the encodings.
struct EncodingsHeader {
  EncodingsVersion version = EncodingsVersion::k1_0_0;
  std::string producer;    ///< "halfstep 0.1.0".
  std::string arithmetic;  ///< The requantization rule.
  int act_bits = 8;
  int weight_bits = 8;
  bool symmetric_params = true;
  bool per_channel = true;
  /// Options as the user may repeat them, in the order to be written.
  std::vector<std::pair<std::string, std::string>> options;
  /// Fingerprint of the weights that the encodings fit, where they are not those of the model quantize was given;
  /// empty: not written.
  std::string weights = {};
  /// Tensors that are to be real, and what kind of numbers.
  struct Real {
    int bits = 32;  ///< 16 or 32.
    bool is_parameter = false;
  };
  std::map<std::string, Real> reals = {};
  /// A tensor that the float model does not have.
  struct Convert {
    std::string from;                  ///< What is converted.
    std::vector<std::string> readers;  ///< First outputs of the nodes that read the new tensor.
  };
  std::map<std::string, Convert> converts = {};
  /// Tensors around nodes that compute on plain int32.
  std::set<std::string> int32 = {};
  /// By tensor, which rules decided about it, in their order.
  std::map<std::string, std::vector<std::string>> rules = {};
  /// By name; empty: not written.
  std::map<std::string, PackedWeight> packed = {};
};

/// Errors: kUsage naming the tensor if a grid is of a kind that `version` cannot express.
Result<void> check_version(const EncodingSet& encodings, EncodingsVersion version);

/// The text of an encodings file; the same bytes for the same arguments.
/// Biases are parameters of 32 bits. Key "halfstep" holds arithmetic, weights,
/// options, packed weights and, by tensor, where each encoding came from, the rules that
/// decided and grids that an entry cannot say (recorded_grids.hpp).
/// Requires: check_version(); encodings per block carry codes, whose shape says how scales nest.
std::string write_encodings(const EncodingSet& encodings, const EncodingsHeader& header);

/// What read_encodings() found.
struct EncodingsFile {
  EncodingSet encodings;             ///< Origin kOverridden; detail names file and entry. Without codes.
  std::map<std::string, int> reals;  ///< To stay real numbers of 16 or 32 bits.
  std::vector<std::string> warnings;
  std::string arithmetic;  ///< The requantization rule our own files record; empty if the file names none.
};

/// Reads an encodings file of any of the versions, entries as lists or by name.
/// `file` is its name in messages; `targets` describes the tensors it may name.
/// Files of versions 0.4 to 0.6 with min and max: scale and offset follow from
/// these; a stored scale that agrees within 1e-3 is used as it stands, another
/// gives a warning.
/// Errors: kInvalidInput naming file and entry: not JSON, a repeated name, a
/// name that is no tensor (with the nearest one), a missing or mistyped field,
/// a width outside 2 to 32, an offset off the grid, a number of channels that
/// is not the tensor's; kUnsupported for block-wise and floating-point formats.
Result<EncodingsFile> read_encodings(std::string_view text, const std::string& file, const EncodingTargets& targets);

}  // namespace halfstep::io
