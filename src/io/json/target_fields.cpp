// target_fields.cpp: texts, numbers, words and lists of them.
#include "io/json/target_fields.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "encoding/range_to_encoding.hpp"

namespace halfstep::io {
namespace {

template <class T>
using WordTable = std::vector<std::pair<std::string, T>>;

template <class T>
Result<T> word_of(const TargetField& field, const WordTable<T>& table) {
  std::vector<std::string> words;
  std::string list;
  for (const auto& [word, value] : table) {
    if (field.value.is_string() && field.value.get_ref<const std::string&>() == word) return value;
    words.push_back(word);
    list += (list.empty() ? "" : ", ") + word;
  }
  if (!field.value.is_string()) return field.error("is not one of the texts " + list);
  const std::string given = field.value.get<std::string>();
  return field.error("is " + halfstep::quoted(given) + ", not one of " + list + did_you_mean(given, words));
}

template <class T>
Result<std::vector<T>> words_of(const TargetField& field, const WordTable<T>& table) {
  std::vector<T> list;
  const Result<void> done = for_each_element(field, [&](const TargetField& element) -> Result<void> {
    const Result<T> value = word_of(element, table);
    if (!value.ok()) return value.error();
    if (std::ranges::find(list, *value) != list.end()) return element.error("is there twice");
    list.push_back(*value);
    return {};
  });
  if (!done.ok()) return done.error();
  return list;
}

bool is_one_line(const nlohmann::json& value) {
  return value.is_string() && !value.get_ref<const std::string&>().empty() &&
         std::ranges::none_of(value.get_ref<const std::string&>(),
                              [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

void add_kind(const NumberKind& kind, WordTable<NumberKind>& table) { table.emplace_back(name_of(kind), kind); }

WordTable<NumberKind> all_kinds() {
  WordTable<NumberKind> table;
  for (const int bits : {4, 8, 16, 32}) add_kind({bits, false}, table);
  for (const int bits : {16, 32}) add_kind({bits, true}, table);
  return table;
}

}  // namespace

Error TargetField::error(const std::string& what) const {
  return invalid(file + ": " + halfstep::quoted(key) + " " + what);
}

Result<void> for_each_element(const TargetField& field, const std::function<Result<void>(const TargetField&)>& visit) {
  if (!field.value.is_array()) return field.error("is not a list");
  if (field.value.empty()) return field.error("is an empty list");
  for (std::size_t i = 0; i < field.value.size(); ++i) {
    if (Result<void> done = visit({field.value[i], field.file, field.key + "[" + std::to_string(i) + "]"}); !done.ok())
      return done;
  }
  return {};
}

Result<std::string> line_of_text(const TargetField& field) {
  if (!is_one_line(field.value)) return field.error("is not a line of text");
  return field.value.get<std::string>();
}

Result<bool> truth(const TargetField& field) {
  if (!field.value.is_boolean()) return field.error("is neither true nor false");
  return field.value.get<bool>();
}

Result<double> positive_number(const TargetField& field) {
  if (!field.value.is_number()) return field.error("is not a number");
  const auto value = field.value.get<double>();
  if (!std::isfinite(value) || value <= 0.0) return field.error("is not above 0");
  return value;
}

Result<int> whole_number(const TargetField& field, std::int64_t min, std::int64_t max) {
  const std::string range = std::to_string(min) + " to " + std::to_string(max);
  if (!field.value.is_number_integer()) return field.error("is not a whole number of " + range);
  // Unsigned ones beyond int64 would wrap.
  const bool is_huge = field.value.is_number_unsigned() && field.value.get<std::uint64_t>() > INT32_MAX;
  const auto value = is_huge ? max + 1 : field.value.get<std::int64_t>();
  if (value < min || value > max) return field.error("is not a whole number of " + range);
  return static_cast<int>(value);
}

Result<std::vector<std::string>> sentences(const TargetField& field) {
  std::vector<std::string> list;
  const Result<void> done = for_each_element(field, [&](const TargetField& element) -> Result<void> {
    Result<std::string> line = line_of_text(element);
    if (!line.ok()) return line.error();
    list.push_back(*std::move(line));
    return {};
  });
  if (!done.ok()) return done.error();
  return list;
}

Result<std::vector<NumberKind>> number_kinds(const TargetField& field) { return words_of(field, all_kinds()); }

Result<NumberKind> number_kind(const TargetField& field) { return word_of(field, all_kinds()); }

Result<std::vector<NumberKind>> real_kinds(const TargetField& field) {
  WordTable<NumberKind> table;
  for (const int bits : {16, 32}) add_kind({bits, true}, table);
  return words_of(field, table);
}

Result<std::vector<ScaleKind>> scale_kinds(const TargetField& field) {
  WordTable<ScaleKind> table;
  for (const ScaleKind kind : {ScaleKind::kAffine, ScaleKind::kPowerOfTwo}) table.emplace_back(name_of(kind), kind);
  return words_of(field, table);
}

Result<std::vector<Schema>> schemas(const TargetField& field) {
  WordTable<Schema> table;
  for (const Schema schema : {Schema::kAsymmetric, Schema::kSymmetric, Schema::kUnsignedSymmetric}) {
    table.emplace_back(name_of(schema), schema);
  }
  return words_of(field, table);
}

Result<std::vector<Arithmetic>> arithmetics(const TargetField& field) {
  WordTable<Arithmetic> table;
  for (const ArithmeticName& entry : kArithmeticNames) table.emplace_back(entry.name, entry.arithmetic);
  return words_of(field, table);
}

Result<WeightsPerChannel> weights_per_channel(const TargetField& field) {
  return word_of<WeightsPerChannel>(field, {{"none", WeightsPerChannel::kNone},
                                            {"depthwise", WeightsPerChannel::kDepthwise},
                                            {"all", WeightsPerChannel::kAll}});
}

Result<ActPerChannel> activations_per_channel(const TargetField& field) {
  return word_of<ActPerChannel>(field, {{"none", ActPerChannel::kNone}, {"depthwise", ActPerChannel::kDepthwise}});
}

Result<std::vector<std::pair<std::string, std::string>>> option_values(const TargetField& field) {
  if (!field.value.is_object()) return field.error("is not an object");
  std::vector<std::pair<std::string, std::string>> options;
  for (const auto& [name, value] : field.value.items()) {
    if (is_one_line(value)) {
      options.emplace_back(name, value.get<std::string>());
    } else if (value.is_number() || value.is_boolean()) {
      options.emplace_back(name, value.dump());
    } else {
      return TargetField{value, field.file, field.key + "." + name}.error(
          "is not a line of text, a number or a boolean");
    }
  }
  return options;
}

}  // namespace halfstep::io
