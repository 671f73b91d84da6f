// target_fields.hpp: single values of a target's profile, checked before they are believed.
//
// Errors of all these: kInvalidInput "FILE: 'operators.Conv.weights' is ...".
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "encoding/target_profile.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// A value and where it stands. References must outlive it.
struct TargetField {
  const nlohmann::json& value;
  const std::string& file;
  std::string key;  ///< With those around it: "operators.Conv.weights".

  Error error(const std::string& what) const;
};

/// For each element of a list that is not empty. Errors: also those of `visit`.
Result<void> for_each_element(const TargetField& field, const std::function<Result<void>(const TargetField&)>& visit);

Result<std::string> line_of_text(const TargetField& field);
Result<bool> truth(const TargetField& field);
Result<double> positive_number(const TargetField& field);
Result<int> whole_number(const TargetField& field, std::int64_t min, std::int64_t max);

/// Lists of texts, one or more; number_kind() is a single one.
Result<std::vector<std::string>> sentences(const TargetField& field);
/// "int4", "int8", "int16", "int32", "float16", "float32"; of real_kinds() only the last two.
Result<std::vector<NumberKind>> number_kinds(const TargetField& field);
Result<NumberKind> number_kind(const TargetField& field);
Result<std::vector<NumberKind>> real_kinds(const TargetField& field);
Result<std::vector<ScaleKind>> scale_kinds(const TargetField& field);
Result<std::vector<Schema>> schemas(const TargetField& field);
Result<std::vector<Arithmetic>> arithmetics(const TargetField& field);

/// "none", "depthwise", "all"; the second takes the first two.
Result<WeightsPerChannel> weights_per_channel(const TargetField& field);
Result<ActPerChannel> activations_per_channel(const TargetField& field);

/// An object of texts, numbers and booleans, as options' names and values.
Result<std::vector<std::pair<std::string, std::string>>> option_values(const TargetField& field);

}  // namespace halfstep::io
