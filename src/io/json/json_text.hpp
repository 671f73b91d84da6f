// json_text.hpp: JSON as our files print it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace halfstep::io {

/// Keys stay in the order we give them. Numbers print with the fewest digits that read back as the same double.
using Json = nlohmann::ordered_json;

/// On one line; what is no UTF-8 is replaced.
inline std::string text_of(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace halfstep::io
