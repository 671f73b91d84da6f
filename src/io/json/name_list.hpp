// name_list.hpp: names of tensors as one text, for metadata.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// A JSON array on one line: ["a","b/c"]. A name that is no UTF-8, which JSON cannot hold, is the array of its bytes.
std::string write_name_list(const std::vector<std::string>& names);

/// The names that write_name_list() was given, whatever bytes they have.
/// Errors: kInvalidInput, without a place in front, for any other text.
Result<std::vector<std::string>> read_name_list(std::string_view text);

}  // namespace halfstep::io
