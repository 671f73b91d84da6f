// quantsim_config.hpp: AIMET's description of what a runtime quantizes, and how.
//
// Six sections, all of which must be there: defaults, params, op_type, supergroups, model_input, model_output. What the
// rules mean for a model is for pipeline/aimet_orders.hpp to say.
// Source: AIMET documentation, "Quantization Simulation Configuration".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "halfstep/quantization_options.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// One row of supported_kernels: widths that a runtime has a kernel for.
struct QuantsimKernel {
  NumberKind activation;            ///< Of the output: 4, 8, 16 or 32 bits.
  std::optional<NumberKind> param;  ///< Of the weight; empty: any.
};

/// About parameters of one kind.
struct QuantsimParam {
  std::optional<bool> is_quantized;
  std::optional<bool> is_symmetric;
};

/// By kind: "weight", "bias".
using QuantsimParams = std::map<std::string, QuantsimParam, std::less<>>;

/// What values are known to lie between; files may leave out the upper end.
struct QuantsimRange {
  double min = 0.0;
  std::optional<double> max;
};

/// About nodes. Empty: the file says nothing.
struct QuantsimRules {
  std::string place;  ///< "aimet.json:12: op_type 'Softmax'", for messages and provenance.
  std::optional<bool> is_input_quantized;
  std::optional<bool> is_output_quantized;
  std::optional<bool> is_symmetric;              ///< Of activations.
  std::optional<bool> per_channel_quantization;  ///< Of weights.
  QuantsimParams params;                         ///< Of operators only.
  std::vector<QuantsimKernel> supported_kernels;
  std::optional<QuantsimRange> encoding_constraints;  ///< Of operators only.
};

/// Operators that run as one: only the last one's output is quantized.
struct QuantsimSupergroup {
  std::string place;             ///< "aimet.json:30: supergroup 'Conv+Relu'".
  std::vector<std::string> ops;  ///< At least two.
};

/// model_input, model_output.
struct QuantsimBorder {
  std::string place;
  std::optional<bool> is_quantized;
};

struct QuantsimConfig {
  QuantsimRules defaults;                  ///< defaults.ops, per_channel_quantization and supported_kernels.
  QuantsimParam default_params;            ///< defaults.params.
  std::optional<bool> strict_symmetric;    ///< Symmetric grids leave out their lowest integer.
  std::optional<bool> unsigned_symmetric;  ///< Symmetric grids are unsigned where there are no negatives.
  std::string params_place;
  QuantsimParams params;
  std::map<std::string, QuantsimRules, std::less<>> op_types;
  std::vector<QuantsimSupergroup> supergroups;  ///< In the order of the file.
  QuantsimBorder model_input;
  QuantsimBorder model_output;
};

/// Reads the file with this text; `file` is its name in messages. Booleans are "True" and "False" in any case, or true
/// and false. hw_version must be text and
/// supergroup_pass_list, a section that may be missing, a list of texts; both say nothing here.
/// Errors: kInvalidInput with file, line and entry: not JSON, a section missing or of another kind, an unknown key
/// (with the nearest one), a value that its key can't have, strict_symmetric together with unsigned_symmetric.
Result<QuantsimConfig> read_quantsim_config(std::string_view text, const std::string& file);

}  // namespace halfstep::io
