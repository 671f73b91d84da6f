// quantsim_config.cpp: section by section, key by key.
#include "io/json/quantsim_config.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/entry_fields.hpp"
#include "io/json/json_lines.hpp"
#include "io/json/parse_json.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;
using Keys = std::vector<std::string>;

const Keys kQuantsimSections = {"defaults", "params", "op_type", "supergroups", "model_input", "model_output"};
/// Names rewritings of AIMET's own, which the passes here do in their way.
constexpr const char* kQuantsimPasses = "supergroup_pass_list";

Result<void> check_keys(const json& object, const Keys& known, const std::string& place) {
  if (!object.is_object()) return invalid(place + " is not an object");
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::find(known, key) == known.end())
      return invalid(place + ": unknown key " + halfstep::quoted(key) + did_you_mean(key, known));
  }
  return {};
}

/// Leaves `flag` alone if the key is not there.
Result<void> read_flag(const json& object, const char* key, const std::string& place, std::optional<bool>& flag) {
  if (!object.contains(key)) return {};
  const Result<bool> value = flag_field(object, key);
  if (!value.ok()) return value.error().at(place);
  flag = *value;
  return {};
}

struct FlagOf {
  const char* key;
  std::optional<bool>* flag;
};

Result<void> read_flags(const json& object, const std::string& place, std::initializer_list<FlagOf> flags) {
  for (const FlagOf& entry : flags) {
    if (auto ok = read_flag(object, entry.key, place, *entry.flag); !ok.ok()) return ok;
  }
  return {};
}

Result<NumberKind> read_number_kind(const json& object, const std::string& place) {
  if (auto ok = check_keys(object, {"bitwidth", "dtype"}, place); !ok.ok()) return ok.error();
  const Result<const json*> bitwidth = required_field(object, "bitwidth");
  if (!bitwidth.ok()) return bitwidth.error().at(place);
  const Result<std::int64_t> bits = integer_value(**bitwidth, "bitwidth");
  if (!bits.ok()) return bits.error().at(place);
  if (auto dtype = required_field(object, "dtype"); !dtype.ok()) return dtype.error().at(place);
  const Result<bool> real = says_float(object);
  if (!real.ok()) return real.error().at(place);
  constexpr std::array<std::int64_t, 4> kWidths{4, 8, 16, 32};
  if (std::ranges::find(kWidths, *bits) == kWidths.end() || (*real && *bits < 16)) {
    return invalid(place + ": " + (*real ? "real numbers" : "integers") + " of " + std::to_string(*bits) +
                   " bits are none of " + (*real ? "16 and 32" : "4, 8, 16 and 32"));
  }
  return NumberKind{static_cast<int>(*bits), *real};
}

Result<std::vector<QuantsimKernel>> read_kernels(const json& list, const std::string& place, bool needs_param) {
  if (!list.is_array()) return invalid(place + ": supported_kernels is not a list");
  std::vector<QuantsimKernel> kernels;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string at = place + ": supported_kernels, entry " + std::to_string(i);
    if (auto ok = check_keys(list[i], {"activation", "param"}, at); !ok.ok()) return ok.error();
    for (const char* key : {"activation", "param"}) {
      const bool is_needed = needs_param || std::string_view(key) == "activation";
      if (is_needed && !list[i].contains(key)) return invalid(at + ": field " + halfstep::quoted(key) + " is missing");
    }
    const Result<NumberKind> activation = read_number_kind(list[i]["activation"], at + ": activation");
    if (!activation.ok()) return activation.error();
    QuantsimKernel kernel{.activation = *activation, .param = std::nullopt};
    if (list[i].contains("param")) {
      const Result<NumberKind> param = read_number_kind(list[i]["param"], at + ": param");
      if (!param.ok()) return param.error();
      kernel.param = *param;
    }
    kernels.push_back(kernel);
  }
  return kernels;
}

Result<QuantsimParam> read_param(const json& object, const std::string& place) {
  if (auto ok = check_keys(object, {"is_quantized", "is_symmetric"}, place); !ok.ok()) return ok.error();
  QuantsimParam param;
  auto ok = read_flags(object, place, {{"is_quantized", &param.is_quantized}, {"is_symmetric", &param.is_symmetric}});
  if (!ok.ok()) return ok.error();
  return param;
}

Result<QuantsimParams> read_params(const json& object, const std::string& place) {
  if (!object.is_object()) return invalid(place + " is not an object");
  QuantsimParams params;
  for (const auto& [kind, value] : object.items()) {
    const Result<QuantsimParam> param = read_param(value, place + ", " + halfstep::quoted(kind));
    if (!param.ok()) return param.error();
    params.emplace(kind, *param);
  }
  return params;
}

Result<QuantsimRange> read_constraints(const json& object, const std::string& place) {
  const std::string at = place + ": encoding_constraints";
  if (auto ok = check_keys(object, {"min", "max"}, at); !ok.ok()) return ok.error();
  const Result<double> min = number_field(object, "min");
  if (!min.ok()) return min.error().at(at);
  constexpr double kLargest = std::numeric_limits<float>::max();
  const Error too_large = invalid(at + ": min and max must be within the range of float32");
  if (std::abs(*min) > kLargest) return too_large;
  QuantsimRange range{.min = *min, .max = std::nullopt};
  if (!object.contains("max")) return range;
  const Result<double> max = number_field(object, "max");
  if (!max.ok()) return max.error().at(at);
  if (std::abs(*max) > kLargest) return too_large;
  if (*min >= *max) return invalid(at + ": min is not below max");
  range.max = *max;
  return range;
}

Result<QuantsimRules> read_op_type(const json& object, const std::string& place) {
  const Keys known = {"is_input_quantized",   "is_output_quantized",     "is_symmetric", "params", "supported_kernels",
                      "encoding_constraints", "per_channel_quantization"};
  if (auto ok = check_keys(object, known, place); !ok.ok()) return ok.error();
  QuantsimRules rules;
  rules.place = place;
  auto flags = read_flags(object, place,
                          {{"is_input_quantized", &rules.is_input_quantized},
                           {"is_output_quantized", &rules.is_output_quantized},
                           {"is_symmetric", &rules.is_symmetric},
                           {"per_channel_quantization", &rules.per_channel_quantization}});
  if (!flags.ok()) return flags.error();
  if (object.contains("params")) {
    Result<QuantsimParams> params = read_params(object["params"], place + ": params");
    if (!params.ok()) return params.error();
    rules.params = *std::move(params);
  }
  if (object.contains("supported_kernels")) {
    Result<std::vector<QuantsimKernel>> kernels = read_kernels(object["supported_kernels"], place, false);
    if (!kernels.ok()) return kernels.error();
    rules.supported_kernels = *std::move(kernels);
  }
  if (object.contains("encoding_constraints")) {
    const auto range = read_constraints(object["encoding_constraints"], place);
    if (!range.ok()) return range.error();
    rules.encoding_constraints = *range;
  }
  return rules;
}

class QuantsimReader {
 public:
  QuantsimReader(const json& document, std::string_view text, const std::string& file)
      : document_(document), file_(file), sections_(json_sections(text)) {}

  Result<QuantsimConfig> read() {
    if (!document_.is_object()) return invalid(file_ + ": the document is not an object");
    for (const JsonSection& section : sections_) {
      if (section.key == kQuantsimPasses) continue;
      if (std::ranges::find(kQuantsimSections, section.key) != kQuantsimSections.end()) continue;
      return invalid(at_line(section.line) + ": unknown section " + halfstep::quoted(section.key) +
                     did_you_mean(section.key, kQuantsimSections));
    }
    for (const std::string& key : kQuantsimSections) {
      if (!document_.contains(key))
        return invalid(file_ + ": there is no section " + halfstep::quoted(key) +
                       ", all six must be there, even empty");
    }
    for (const auto step : {&QuantsimReader::read_defaults, &QuantsimReader::read_all_params,
                            &QuantsimReader::read_op_types, &QuantsimReader::read_supergroups}) {
      if (auto ok = (this->*step)(); !ok.ok()) return ok.error();
    }
    if (auto ok = check_passes(); !ok.ok()) return ok.error();
    if (auto ok = read_border("model_input", "is_input_quantized", config_.model_input); !ok.ok()) return ok.error();
    if (auto ok = read_border("model_output", "is_output_quantized", config_.model_output); !ok.ok()) return ok.error();
    return std::move(config_);
  }

 private:
  std::string at_line(int line) const { return file_ + ":" + std::to_string(line); }

  const JsonSection& section(const std::string& key) const {
    return *std::ranges::find(sections_, key, &JsonSection::key);
  }
  std::string place_of(const std::string& key) const { return at_line(section(key).line) + ": " + key; }
  std::string place_in(const std::string& key, const std::string& member) const {
    const auto& members = section(key).members;
    return at_line(std::ranges::find(members, member, &JsonMember::key)->line) + ": " + key;
  }

  Result<void> read_defaults() {
    const json& defaults = document_["defaults"];
    const std::string place = place_of("defaults");
    const Keys known = {"ops",
                        "params",
                        "strict_symmetric",
                        "unsigned_symmetric",
                        "supported_kernels",
                        "hw_version",
                        "per_channel_quantization"};
    if (auto ok = check_keys(defaults, known, place); !ok.ok()) return ok;
    config_.defaults.place = place;
    if (auto ok = read_default_flags(defaults); !ok.ok()) return ok;
    if (defaults.contains("hw_version") && !defaults["hw_version"].is_string())
      return invalid(place_in("defaults", "hw_version") + ": hw_version is not a text");
    if (defaults.contains("supported_kernels")) {
      config_.defaults.place = place_in("defaults", "supported_kernels");
      Result<std::vector<QuantsimKernel>> kernels =
          read_kernels(defaults["supported_kernels"], config_.defaults.place, true);
      if (!kernels.ok()) return kernels.error();
      config_.defaults.supported_kernels = *std::move(kernels);
    }
    return read_default_parts(defaults);
  }

  Result<void> read_default_flags(const json& defaults) {
    for (const FlagOf& entry : {FlagOf{"strict_symmetric", &config_.strict_symmetric},
                                FlagOf{"unsigned_symmetric", &config_.unsigned_symmetric},
                                FlagOf{"per_channel_quantization", &config_.defaults.per_channel_quantization}}) {
      if (!defaults.contains(entry.key)) continue;
      if (auto ok = read_flag(defaults, entry.key, place_in("defaults", entry.key), *entry.flag); !ok.ok()) return ok;
    }
    if (config_.strict_symmetric.value_or(false) && config_.unsigned_symmetric.value_or(false)) {
      return invalid(place_in("defaults", "unsigned_symmetric") +
                     ": strict_symmetric and unsigned_symmetric exclude each other, one of them must be False");
    }
    return {};
  }

  Result<void> read_default_parts(const json& defaults) {
    for (const char* part : {"ops", "params"}) {
      if (!defaults.contains(part))
        return invalid(place_of("defaults") + ": field " + halfstep::quoted(part) + " is missing, it may be empty");
    }
    const std::string place = place_in("defaults", "ops") + ": ops";
    const json& ops = defaults["ops"];
    if (auto ok = check_keys(ops, {"is_input_quantized", "is_output_quantized", "is_symmetric"}, place); !ok.ok())
      return ok;
    auto flags = read_flags(ops, place,
                            {{"is_input_quantized", &config_.defaults.is_input_quantized},
                             {"is_output_quantized", &config_.defaults.is_output_quantized},
                             {"is_symmetric", &config_.defaults.is_symmetric}});
    if (!flags.ok()) return flags;
    const Result<QuantsimParam> param = read_param(defaults["params"], place_in("defaults", "params") + ": params");
    if (!param.ok()) return param.error();
    config_.default_params = *param;
    return {};
  }

  Result<void> read_all_params() {
    config_.params_place = place_of("params");
    if (!document_["params"].is_object()) return invalid(config_.params_place + " is not an object");
    for (const JsonMember& member : section("params").members) {
      const std::string place = at_line(member.line) + ": params " + halfstep::quoted(member.key);
      const Result<QuantsimParam> param = read_param(document_["params"][member.key], place);
      if (!param.ok()) return param.error();
      config_.params.emplace(member.key, *param);
    }
    return {};
  }

  Result<void> read_op_types() {
    if (!document_["op_type"].is_object()) return invalid(place_of("op_type") + " is not an object");
    for (const JsonMember& member : section("op_type").members) {
      const std::string place = at_line(member.line) + ": op_type " + halfstep::quoted(member.key);
      Result<QuantsimRules> rules = read_op_type(document_["op_type"][member.key], place);
      if (!rules.ok()) return rules.error();
      config_.op_types.emplace(member.key, *std::move(rules));
    }
    return {};
  }

  Result<void> read_supergroups() {
    const json& list = document_["supergroups"];
    if (!list.is_array()) return invalid(place_of("supergroups") + " is not a list");
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string line = at_line(section("supergroups").members[i].line);
      const std::string place = line + ": supergroups, entry " + std::to_string(i);
      if (auto ok = check_keys(list[i], {"op_list"}, place); !ok.ok()) return ok;
      const Result<const json*> ops = required_field(list[i], "op_list");
      if (!ops.ok()) return ops.error().at(place);
      if (!(*ops)->is_array() || (*ops)->size() < 2)
        return invalid(place + ": op_list is no list of two operators or more");
      QuantsimSupergroup group;
      for (const json& op : **ops) {
        if (!op.is_string()) return invalid(place + ": op_list holds something that is no operator's name");
        group.ops.push_back(op.get<std::string>());
      }
      std::string name;
      for (const std::string& op : group.ops) name += (name.empty() ? "" : "+") + op;
      group.place = line + ": supergroup " + halfstep::quoted(name);
      config_.supergroups.push_back(std::move(group));
    }
    return {};
  }

  Result<void> check_passes() const {
    const auto passes = document_.find(kQuantsimPasses);
    if (passes == document_.end()) return {};
    const bool is_list =
        passes->is_array() && std::ranges::all_of(*passes, [](const json& name) { return name.is_string(); });
    if (is_list) return {};
    return invalid(place_of(kQuantsimPasses) + " is not a list of texts");
  }

  Result<void> read_border(const std::string& key, const char* flag, QuantsimBorder& border) {
    border.place = place_of(key);
    if (auto ok = check_keys(document_[key], {flag}, border.place); !ok.ok()) return ok;
    return read_flag(document_[key], flag, border.place, border.is_quantized);
  }

  const json& document_;
  const std::string& file_;
  std::vector<JsonSection> sections_;
  QuantsimConfig config_;
};

}  // namespace

Result<QuantsimConfig> read_quantsim_config(std::string_view text, const std::string& file) {
  const Result<json> document = parse_json(text);
  if (!document.ok()) return document.error().at(file);
  return QuantsimReader(*document, text, file).read();
}

}  // namespace halfstep::io
