// print_program.hpp: a Program as text for people.
#pragma once

#include <string>

#include "lower/program.hpp"

namespace halfstep::lower {

/// A paragraph a step: what it reads and writes (type, zero point, grid), its factors as multiplier and shift, its
/// accumulator and why it cannot overflow; then the float islands. For a fixed-point Program.
std::string to_text(const Program& program);

}  // namespace halfstep::lower
