// name_list.cpp: strings where they survive, bytes where they would not.
#include "io/json/name_list.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/errors.hpp"
#include "io/json/json_text.hpp"
#include "io/json/parse_json.hpp"

namespace halfstep::io {
namespace {

Json json_of_name(const std::string& name) {
  const bool survives = Json::parse(text_of(Json(name))) == name;  // text_of() replaces what is no UTF-8.
  return survives ? Json(name) : Json(std::vector<std::uint8_t>(name.begin(), name.end()));
}

std::optional<std::string> name_of_json(const nlohmann::json& element) {
  if (element.is_string()) return element.get<std::string>();
  const auto is_byte = [](const nlohmann::json& x) { return x.is_number_unsigned() && x.get<std::uint64_t>() < 256; };
  if (!element.is_array() || !std::ranges::all_of(element, is_byte)) return std::nullopt;
  std::string name;
  for (const nlohmann::json& byte : element) name += static_cast<char>(byte.get<std::uint8_t>());
  return name;
}

}  // namespace

std::string write_name_list(const std::vector<std::string>& names) {
  Json list = Json::array();
  for (const std::string& name : names) list.push_back(json_of_name(name));
  return text_of(list);
}

Result<std::vector<std::string>> read_name_list(std::string_view text) {
  const Result<nlohmann::json> document = parse_json(text);
  if (!document.ok()) return document.error();
  if (!document->is_array()) return invalid("it is no JSON array of names");
  std::vector<std::string> names;
  for (const nlohmann::json& element : *document) {
    std::optional<std::string> name = name_of_json(element);
    if (!name) return invalid("element " + std::to_string(names.size()) + " of the array is no name");
    names.push_back(*std::move(name));
  }
  return names;
}

}  // namespace halfstep::io
