// allocation_limit.hpp: what enforce_memory_limit() means for other programs.
#pragma once

#include <string>

namespace halfstep {

/// What a shell must run first so that its commands are as free as this process was before enforce_memory_limit():
/// "ulimit -S -d unlimited; ", or "" if that was never called.
std::string undo_allocation_limit_in_shell();

}  // namespace halfstep
