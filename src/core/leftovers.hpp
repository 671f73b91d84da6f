// leftovers.hpp: temporary files and folders, and those that runs left when they were killed.
#pragma once

#include <filesystem>

namespace halfstep {

/// `folder`/.halfstep-<process>-<number>.tmp: how all that is temporary is called. Not derived from the name of what
/// it becomes, which may already be as long as names can be. Each call gives another.
std::filesystem::path temporary_name(const std::filesystem::path& folder);

/// Says that what `fd` has open at `path` is in use, until the last copy of `fd` is closed, in whatever way the process
/// ends. False: a sweep has just taken it for a leftover; make another. A process number would not do: it is another's
/// tomorrow, and in another container today.
bool hold(int fd, const std::filesystem::path& path);

/// Removes files and folders with such names, of this user, that nobody holds. Once for each folder and process; never
/// an error.
void sweep_leftovers(const std::filesystem::path& folder);

}  // namespace halfstep
