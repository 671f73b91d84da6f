// manual.hpp: the manual page of a tool.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace halfstep::cli {

/// A page of section 1 in roff's man macros, made of what --help prints.
std::string manual_page(const CLI::App& app);

}  // namespace halfstep::cli
