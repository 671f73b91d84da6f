// parse_json.hpp: a text to a JSON document.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// The document; a key that occurs twice in one object is an error, not a silent loss. At most 64 levels deep, so that
/// its readers may recurse.
/// Errors: kInvalidInput with the line, and with the byte, the number's kind or the name that occurs twice; without
/// the file's name.
Result<nlohmann::json> parse_json(std::string_view text);

}  // namespace halfstep::io
