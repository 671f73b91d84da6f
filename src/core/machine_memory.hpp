// machine_memory.hpp: how much memory there is for this process.
#pragma once

#include <cstdint>
#include <filesystem>

namespace halfstep {

/// Bytes of the machine, or what a control group (version 1 or 2) of this process allows, if that is less. `root` is
/// "/" but for tests: proc/self/cgroup and sys/fs/cgroup are looked up below it.
std::int64_t machine_memory_bytes(const std::filesystem::path& root = "/");

}  // namespace halfstep
