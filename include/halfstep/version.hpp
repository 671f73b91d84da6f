// version.hpp: which release this is.
#pragma once

namespace halfstep {

/// Recorded in every file the tools write. CMakeLists.txt reads it from here.
inline constexpr const char* kVersion = "0.1.0";

}  // namespace halfstep
