// target_json.cpp: a profile's document, key by key.
#include "io/json/target_json.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "encoding/range_to_encoding.hpp"
#include "io/json/parse_json.hpp"
#include "io/json/target_fields.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;
using Reader = std::function<Result<void>(const TargetField&)>;
using Readers = std::vector<std::pair<std::string, Reader>>;

/// Calls the reader of every key of `object`. Errors: also for a key that has none.
Result<void> read_keys(const TargetField& object, const Readers& readers) {
  if (!object.value.is_object()) return object.error("is not an object");
  std::vector<std::string> known;
  for (const auto& [key, reader] : readers) known.push_back(key);
  for (const auto& [key, value] : object.value.items()) {
    const auto same_key = [&wanted = key](const auto& entry) { return entry.first == wanted; };
    const auto reader = std::ranges::find_if(readers, same_key);
    const TargetField field{value, object.file, object.key.empty() ? key : object.key + "." + key};
    if (reader == readers.end()) return field.error("is no key of a target" + did_you_mean(key, known));
    if (Result<void> done = reader->second(field); !done.ok()) return done;
  }
  return {};
}

/// A reader that puts what `read` makes of the field into `place`.
template <class T, class U>
Reader into(T& place, Result<U> (*read)(const TargetField&)) {
  return [&place, read](const TargetField& field) -> Result<void> {
    Result<U> value = read(field);
    if (!value.ok()) return value.error();
    place = *std::move(value);
    return {};
  };
}

Result<ShiftRange> shift_range(const TargetField& field) {
  const bool is_pair = field.value.is_array() && field.value.size() == 2 && field.value[0].is_number_integer() &&
                       field.value[1].is_number_integer();
  if (!is_pair) return field.error("is not a pair of whole numbers, as [0, 16]");
  const auto min = field.value[0].get<std::int64_t>();
  const auto max = field.value[1].get<std::int64_t>();
  if (min < -64 || max > 64 || min > max) return field.error("is no range of shifts within [-64, 64]");
  return ShiftRange{static_cast<int>(min), static_cast<int>(max)};
}

Result<ShiftLimits> shift_limits(const TargetField& field) {
  ShiftLimits limits;
  const Result<void> done = read_keys(field, {{"cut", into(limits.cut, shift_range)},
                                              {"bias", into(limits.bias, shift_range)},
                                              {"read", into(limits.read, shift_range)},
                                              {"write", into(limits.write, shift_range)}});
  if (!done.ok()) return done.error();
  return limits;
}

Result<Encoding> fixed_output(const TargetField& field) {
  int bits = 0;
  int zero_point = 0;
  bool is_signed = false;
  double scale = 0.0;
  const auto code = [](const TargetField& number) { return whole_number(number, -32768, 65535); };
  const auto width = [](const TargetField& number) { return whole_number(number, 2, 16); };
  const Result<void> done = read_keys(field, {{"bits", into(bits, +width)},
                                              {"signed", into(is_signed, truth)},
                                              {"scale", into(scale, positive_number)},
                                              {"zero_point", into(zero_point, +code)}});
  if (!done.ok()) return done.error();
  for (const char* key : {"bits", "signed", "scale", "zero_point"}) {
    if (!field.value.contains(key)) return field.error("lacks the key " + halfstep::quoted(key));
  }
  const IntGrid grid = is_signed ? signed_grid(bits) : unsigned_grid(bits);
  Result<Encoding> encoding = Encoding::per_tensor(grid, {.scale = scale, .zero_point = zero_point});
  if (!encoding.ok()) return field.error("is no grid: " + encoding.error().message);
  return encoding;
}

Result<std::vector<Encoding>> fixed_outputs(const TargetField& field) {
  std::vector<Encoding> encodings;
  const Result<void> done = for_each_element(field, [&](const TargetField& element) -> Result<void> {
    Result<Encoding> encoding = fixed_output(element);
    if (!encoding.ok()) return encoding.error();
    encodings.push_back(*std::move(encoding));
    return {};
  });
  if (!done.ok()) return done.error();
  return encodings;
}

Result<std::vector<CostRule>> cost_rules(const TargetField& field) {
  std::vector<CostRule> rules;
  const Result<void> done = for_each_element(field, [&](const TargetField& element) -> Result<void> {
    CostRule rule;
    const Result<void> read = read_keys(element, {{"activations", into(rule.activations, number_kind)},
                                                  {"weights", into(rule.weights, number_kind)},
                                                  {"cost", into(rule.cost, positive_number)}});
    if (!read.ok()) return read;
    for (const char* key : {"activations", "weights", "cost"}) {
      if (!element.value.contains(key)) return element.error("lacks the key " + halfstep::quoted(key));
    }
    rules.push_back(rule);
    return {};
  });
  if (!done.ok()) return done.error();
  return rules;
}

/// `rule` holds what the rule for all operators says.
Result<OperatorRule> operator_rule(const TargetField& field, OperatorRule rule) {
  const Result<void> done = read_keys(field, {{"activations", into(rule.activations, number_kinds)},
                                              {"weights", into(rule.weights, number_kinds)},
                                              {"biases", into(rule.biases, number_kinds)},
                                              {"one_width", into(rule.one_width, truth)},
                                              {"keeps_precision", into(rule.keeps_precision, truth)},
                                              {"fixed_outputs", into(rule.fixed_outputs, fixed_outputs)}});
  if (!done.ok()) return done.error();
  if (rule.activations.empty()) return field.error("lacks the key 'activations', which there is no '*' to give");
  return rule;
}

/// '*' first: the others start from it.
Result<void> read_operators(const TargetField& field, const std::vector<std::string>& known, TargetProfile& target) {
  if (!field.value.is_object() || field.value.empty()) return field.error("is not an object with an operator or more");
  const auto all = field.value.find("*");
  if (all != field.value.end()) {
    Result<OperatorRule> rule = operator_rule({*all, field.file, field.key + ".*"}, {});
    if (!rule.ok()) return rule.error();
    target.others = *std::move(rule);
  }
  for (const auto& [type, value] : field.value.items()) {
    const TargetField entry{value, field.file, field.key + "." + type};
    if (type == "*") continue;
    if (std::ranges::find(known, type) == known.end()) return entry.error("is no operator" + did_you_mean(type, known));
    Result<OperatorRule> rule = operator_rule(entry, target.others.value_or(OperatorRule{}));
    if (!rule.ok()) return rule.error();
    target.operators.emplace(type, *std::move(rule));
  }
  return {};
}

Result<std::vector<std::pair<std::string, std::string>>> fused_pairs(const TargetField& field) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const std::array<std::string, 3> second{"Relu", "Relu6", "Clip"};
  if (!field.value.is_array()) return field.error("is not a list");
  for (const json& element : field.value) {
    const bool is_pair = element.is_array() && element.size() == 2 && element[0].is_string() && element[1].is_string();
    if (!is_pair) return field.error("holds something else than pairs of operators, as [\"Conv\", \"Relu\"]");
    pairs.emplace_back(element[0].get<std::string>(), element[1].get<std::string>());
    if (std::ranges::find(second, pairs.back().second) == second.end()) {
      return field.error("has " + halfstep::quoted(pairs.back().second) +
                         " as second of a pair, not Relu, Relu6 or Clip");
    }
  }
  return pairs;
}

Result<void> check_complete_target(const json& document, const std::string& file) {
  for (const char* key : {"description", "known", "assumed", "options", "operators", "scales", "activation_schemas",
                          "weight_schemas", "arithmetics"}) {
    if (!document.contains(key)) return invalid(file + ": there is no key " + halfstep::quoted(key));
  }
  return {};
}

}  // namespace

Result<TargetProfile> read_target(std::string_view text, const std::string& file,
                                  const std::vector<std::string>& operators) {
  const Result<json> document = parse_json(text);
  if (!document.ok()) return document.error().at(file);
  if (!document->is_object()) return invalid(file + ": the document is not an object");
  TargetProfile target;
  target.name = file;
  const auto accumulator = [](const TargetField& field) { return whole_number(field, 16, 64); };
  const auto code_bits = [](const TargetField& field) { return whole_number(field, 8, 32); };
  const auto read = [&](const TargetField& field) { return read_operators(field, operators, target); };
  const Readers readers{{"description", into(target.description, line_of_text)},
                        {"known", into(target.known, sentences)},
                        {"assumed", into(target.assumed, sentences)},
                        {"options", into(target.options, option_values)},
                        {"scales", into(target.scales, scale_kinds)},
                        {"activation_schemas", into(target.activation_schemas, schemas)},
                        {"weight_schemas", into(target.weight_schemas, schemas)},
                        {"weights_per_channel", into(target.weights_per_channel, weights_per_channel)},
                        {"activations_per_channel", into(target.activations_per_channel, activations_per_channel)},
                        {"arithmetics", into(target.arithmetics, arithmetics)},
                        {"accumulator_bits", into(target.accumulator_bits, +accumulator)},
                        {"bias_code_bits", into(target.bias_code_bits, +code_bits)},
                        {"shifts", into(target.shifts, shift_limits)},
                        {"saturating_pair_sums", into(target.saturating_pair_sums, truth)},
                        {"costs", into(target.costs, cost_rules)},
                        {"host", into(target.host, real_kinds)},
                        {"fused", into(target.fused, fused_pairs)},
                        {"operators", read}};
  if (Result<void> done = read_keys({*document, file, ""}, readers); !done.ok()) return done.error();
  if (Result<void> complete = check_complete_target(*document, file); !complete.ok()) return complete.error();
  return target;
}

}  // namespace halfstep::io
