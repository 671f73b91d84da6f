// shell_word.hpp: text that a POSIX shell takes as it is.
#pragma once

#include <string>

namespace halfstep::pipeline {

/// `text` as one word of a shell: in quotes, unless it has plain characters only.
std::string shell_word(const std::string& text);

}  // namespace halfstep::pipeline
