// glob.hpp: names with '*' for any characters.
#pragma once

#include <string_view>

namespace halfstep {

/// True if `text` fits `pattern`, in which each '*' stands for any run of characters, none and '/' included.
bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace halfstep
