// aimet_sections.cpp: keys of AIMET's to options of quantize.
#include "io/json/aimet_sections.hpp"

#include <array>
#include <optional>

#include "core/errors.hpp"
#include "core/text.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

/// [8, "int"]: 8; [16, "float"]: 0. Empty: neither.
std::optional<int> bits_of(const json& pair) {
  const bool is_pair = pair.is_array() && pair.size() == 2 && pair[0].is_number_integer() && pair[1].is_string();
  if (!is_pair) return std::nullopt;
  if (pair[1] == "float") return 0;
  if (pair[1] != "int") return std::nullopt;
  return pair[0].get<int>();
}

/// "W8A16" or "float"; empty: no candidate.
std::string candidate_of(const json& candidate) {
  if (!candidate.is_array() || candidate.size() != 2) return "";
  const std::optional<int> activations = bits_of(candidate[0]);
  const std::optional<int> weights = bits_of(candidate[1]);
  if (!activations || !weights || (*activations == 0) != (*weights == 0)) return "";
  return *weights == 0 ? "float" : "W" + std::to_string(*weights) + "A" + std::to_string(*activations);
}

Result<std::string> candidates_of(const json& value, const std::string& place) {
  std::string list;
  for (const json& candidate : value.is_array() ? value : json::array()) {
    const std::string name = candidate_of(candidate);
    if (name.empty()) return invalid(place + " holds " + candidate.dump() + R"(, not [[16, "int"], [8, "int"]])");
    list += (list.empty() ? "" : ",") + name;
  }
  if (list.empty()) return invalid(place + R"( is no list of candidates, as [[[16, "int"], [8, "int"]]])");
  return list;
}

Result<std::string> search_of(const json& value, const std::string& place) {
  constexpr std::array<std::pair<const char*, const char*>, 3> kNames{
      {{"Binary", "binary"}, {"Interpolation", "interpolation"}, {"BruteForce", "brute-force"}}};
  for (const auto& [theirs, ours] : kNames) {
    if (value == theirs) return std::string(ours);
  }
  return invalid(place + " is not one of Binary, Interpolation and BruteForce");
}

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> options_of_section(const std::string& name,
                                                                            const json& section,
                                                                            const std::string& place) {
  if (!section.is_object()) return invalid(place + ": '" + name + "' is not an object");
  std::vector<std::pair<std::string, std::string>> options;
  options.emplace_back(name == "amp" ? "auto_mixed_precision" : "algorithms", name == "amp" ? "true" : "auto");
  for (const auto& [key, value] : section.items()) {
    const std::string at = place + ": " + name + "." + key;
    if (key == "candidates" || key == "amp_candidates") {
      const Result<std::string> list = candidates_of(value, at);
      if (!list.ok()) return list.error();
      options.emplace_back("amp_candidates", *list);
    } else if (key == "allowed_accuracy_drop") {
      const bool is_share = value.is_number() && value.get<double>() >= 0.0 && value.get<double>() <= 1.0;
      if (!is_share) return invalid(at + " is no share from 0 to 1, as 0.01");
      options.emplace_back(key, json(100.0 * value.get<double>()).dump());
    } else if (key == "amp_search_algo") {
      const Result<std::string> method = search_of(value, at);
      if (!method.ok()) return method.error();
      options.emplace_back("amp_search", *method);
    } else if (key == "phase2_reverse") {
      if (!value.is_boolean()) return invalid(at + " is neither true nor false");
      options.emplace_back(key, value.dump());
    } else if (key.find("callback") != std::string::npos || key.find("dataset") != std::string::npos) {
      return invalid(at + " is for Python: give samples and labels by --eval_input_list and --eval_labels");
    } else {
      const std::array<std::string, 5> known{"candidates", "amp_candidates", "allowed_accuracy_drop", "amp_search_algo",
                                             "phase2_reverse"};
      return invalid(at + " is no key of this section" + did_you_mean(key, known));
    }
  }
  return options;
}

}  // namespace halfstep::io
