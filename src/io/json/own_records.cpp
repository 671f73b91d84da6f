// own_records.cpp: the key "halfstep" to OwnRecords.
#include "io/json/own_records.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "io/json/parse_json.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

const json* member_of(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() ? &*at : nullptr;
}

const json* own_member(const json& document, const char* key) {
  const json* ours = member_of(document, "halfstep");
  return ours != nullptr && ours->is_object() ? member_of(*ours, key) : nullptr;
}

std::string own_text(const json& document, const char* key) {
  const json* text = own_member(document, key);
  return text != nullptr && text->is_string() ? text->get<std::string>() : "";
}

/// Those of a list that are texts; none if it is no list.
std::vector<std::string> texts_of(const json& list) {
  std::vector<std::string> texts;
  if (!list.is_array()) return texts;
  for (const json& text : list) {
    if (text.is_string()) texts.push_back(text.get<std::string>());
  }
  return texts;
}

/// Calls `add` with the names and values of the object `key` under our own.
template <class Add>
void for_each_member(const json& document, const char* key, const Add& add) {
  const json* members = own_object(document, key);
  if (members == nullptr) return;
  for (const auto& [name, value] : members->items()) add(name, value);
}

}  // namespace

const json* own_object(const json& document, const char* key) {
  const json* member = own_member(document, key);
  return member != nullptr && member->is_object() ? member : nullptr;
}

OwnRecords own_records(const json& document) {
  OwnRecords records;
  if (!document.is_object()) return records;
  records.arithmetic = own_text(document, "arithmetic");
  records.weights = own_text(document, "weights");
  for_each_member(document, "reals", [&](const std::string& name, const json& bits) {
    if (bits == 16 || bits == 32) records.reals.emplace(name, bits.get<int>());
  });
  for_each_member(document, "converts", [&](const std::string& name, const json& value) {
    const json* from = value.is_object() ? member_of(value, "from") : nullptr;
    const json* readers = value.is_object() ? member_of(value, "readers") : nullptr;
    if (from == nullptr || !from->is_string() || readers == nullptr) return;
    records.converts[name] = {from->get<std::string>(), texts_of(*readers)};
  });
  if (const json* int32 = own_member(document, "int32")) {
    for (std::string& name : texts_of(*int32)) records.int32.insert(std::move(name));
  }
  for_each_member(document, "rules", [&](const std::string& name, const json& lines) {
    std::vector<std::string> texts = texts_of(lines);
    if (!texts.empty()) records.rules.emplace(name, std::move(texts));
  });
  for_each_member(document, "provenance", [&](const std::string& name, const json& origin) {
    if (origin.is_string()) records.origins.emplace(name, origin.get<std::string>());
  });
  return records;
}

OwnRecords read_own_records(std::string_view text) {
  const Result<json> document = parse_json(text);
  return document.ok() ? own_records(*document) : OwnRecords{};
}

}  // namespace halfstep::io
