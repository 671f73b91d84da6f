// parse_json.cpp: parsing with positions and without repeated names.
#include "io/json/parse_json.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "core/text.hpp"

namespace halfstep::io {

Result<nlohmann::json> parse_json(std::string_view text) {
  using nlohmann::json;
  std::vector<std::set<std::string>> open_objects;
  std::string repeated;
  const auto watch = [&](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == json::parse_event_t::object_end) open_objects.pop_back();
    if (event == json::parse_event_t::key && repeated.empty()) {
      const auto& key = value.get_ref<const std::string&>();
      if (!open_objects.back().insert(key).second) repeated = key;
    }
    return true;
  };
  try {
    json document = json::parse(text.begin(), text.end(), watch);
    if (!repeated.empty()) return invalid("the name " + halfstep::quoted(repeated) + " occurs twice");
    return document;
  } catch (const json::parse_error& e) {
    const std::string_view before = text.substr(0, std::min(e.byte, text.size()));
    return invalid("not valid JSON at byte " + std::to_string(e.byte) + ", line " +
                   std::to_string(1 + std::ranges::count(before, '\n')));
  } catch (const json::exception&) {
    return invalid("not valid JSON: a number is out of range");
  }
}

}  // namespace halfstep::io
