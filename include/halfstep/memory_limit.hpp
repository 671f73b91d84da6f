// memory_limit.hpp: how much memory models and samples may ask for.
#pragma once

#include <cstdint>
#include <string_view>

#include "halfstep/result.hpp"

namespace halfstep {

/// What the tensors of all verbs that run in this process may take together, in bytes. Until set_memory_limit() is
/// called: three quarters of what the machine has, or of what a control group leaves this process. Checked before
/// anything is allocated: a model that needs more is an error (kUnsupported) that names the node and its size.
std::int64_t memory_limit() noexcept;

/// For the whole process; 0: the default again. Not while a verb runs.
void set_memory_limit(std::int64_t num_bytes) noexcept;

/// Has the system refuse what the checks above do not foresee: beyond the limit, and some room for stacks and code, all
/// allocations of this process fail, and the verb ends with kUnsupported. For tools, right after set_memory_limit().
/// Programs that verbs start are not bound by it. Without effect under sanitizers. `num_threads`: 0: one a processor.
void enforce_memory_limit(int num_threads) noexcept;

/// What a std::bad_alloc means: kUnsupported with the limit and the remedy.
Error out_of_memory();

/// "2G", "512M", "1.5G" or a number of bytes; K, M, G and T are powers of 1024.
/// Errors: kUsage if it is neither, or less than 1M.
Result<std::int64_t> parse_memory_size(std::string_view text);

}  // namespace halfstep
