// version.hpp: what --version prints.
#pragma once

#include <string>

namespace halfstep::cli {

/// Four lines: version; commit of the sources ("unknown" outside a repository, "-dirty" behind it if files differ from
/// it); compiler; instruction set in use.
std::string version_text();

}  // namespace halfstep::cli
