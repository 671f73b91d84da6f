// override_option_rows.cpp: the rows about encodings that come from elsewhere, and about the device they are for.
#include <array>

#include "pipeline/option_parts.hpp"
#include "pipeline/option_values.hpp"

namespace halfstep::pipeline {
namespace {

using Request = QuantizeRequest;

Result<void> add_overrides(Request& request, const std::string& text) {
  request.quantization_overrides.emplace_back(text);
  return {};
}
std::optional<std::string> get_overrides(const Request& request) {
  std::string files;
  for (const auto& file : request.quantization_overrides) files += (files.empty() ? "" : " ") + file.string();
  if (files.empty()) return std::nullopt;
  return files;
}

Result<void> set_target(Request& request, const std::string& text) {
  if (text.empty()) return illegal("target", "''", "a name or a file");
  request.target = text;
  return {};
}
std::optional<std::string> get_target(const Request& request) {
  if (request.target.empty()) return std::nullopt;
  return request.target;
}

Result<void> set_aimet_config(Request& request, const std::string& text) {
  if (text.empty()) return illegal("aimet_config", text, "the name of a file");
  request.aimet_config = text;
  return {};
}
std::optional<std::string> get_aimet_config(const Request& request) {
  if (request.aimet_config.empty()) return std::nullopt;
  return request.aimet_config.string();
}

constexpr char kLenient[] = "overrides_lenient";
constexpr char kFallback[] = "float_fallback";
constexpr char kIgnore[] = "ignore_encodings";
constexpr char kStrip[] = "strip";

}  // namespace

std::span<const OptionRow<QuantizeRequest>> override_rows() {
  static const std::array<OptionRow<Request>, 7> kRows{{
      {.name = "target",
       .type = "NAME|FILE",
       .default_text = "none",
       .help =
           "obey the profile of a device: options that nobody gave follow from it, and what the device cannot do is "
           "refused (docs/targets.md)",
       .set = set_target,
       .get = get_target},
      {.name = "quantization_overrides",
       .kind = OptionKind::kList,
       .type = "FILE",
       .default_text = "none",
       .help = "encodings and precisions of single tensors, AIMET's or QNN's JSON; repeatable, later files win "
               "(docs/overrides.md)",
       .set = add_overrides,
       .get = get_overrides},
      {.name = kLenient,
       .kind = OptionKind::kBoolean,
       .default_text = "false",
       .help = "entries of overrides with mistakes, such as unknown names, are left out with a warning",
       .set = set_flag<&Request::overrides_lenient, kLenient>,
       .get = get_flag<&Request::overrides_lenient>},
      {.name = "aimet_config",
       .type = "FILE",
       .default_text = "none",
       .help = "AIMET's quantsim configuration, JSON: what is quantized, and how; other options and overrides win over "
               "it (docs/overrides.md)",
       .set = set_aimet_config,
       .get = get_aimet_config},
      {.name = kFallback,
       .kind = OptionKind::kBoolean,
       .default_text = "false",
       .help = "what no override gives an encoding stays float; needs no input list",
       .set = set_flag<&Request::float_fallback, kFallback>,
       .get = get_flag<&Request::float_fallback>},
      {.name = kIgnore,
       .kind = OptionKind::kBoolean,
       .default_text = "false",
       .help = "encodings that the model carries count for nothing: it is calibrated anew",
       .set = set_flag<&Request::ignore_encodings, kIgnore>,
       .get = get_flag<&Request::ignore_encodings>},
      {.name = kStrip,
       .kind = OptionKind::kBoolean,
       .default_text = "false",
       .help = "write the float model that is left without the encodings of the model, and nothing else; default of "
               "`--output_path`: `<model>.float.onnx`",
       .set = set_flag<&Request::strip, kStrip>,
       .get = get_flag<&Request::strip>},
  }};
  return kRows;
}

}  // namespace halfstep::pipeline
