// json_lines.hpp: on which lines a document's entries stand, for messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace halfstep::io {

/// A member of an object, or an element of a list.
struct JsonMember {
  std::string key;  ///< Of a member; empty for an element.
  int line = 0;     ///< From 1: where the key stands; of an element that is an object its "name", if there is one.
};

/// A member of the document, with its own members or elements in the order of the text.
struct JsonSection {
  std::string key;
  int line = 0;
  std::vector<JsonMember> members;
};

/// The members of the document, in the order of the text. Requires: `text` is valid JSON (parse_json() took it); a
/// document that is no object has none. Linear in the text.
std::vector<JsonSection> json_sections(std::string_view text);

}  // namespace halfstep::io
