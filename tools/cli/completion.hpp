// completion.hpp: what shells complete of a tool's command line.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace halfstep::cli {

/// A completion function of bash, and the command that registers it; needs no other package.
std::string bash_completion(const CLI::App& app);

/// A completion file of zsh (its name is the tool's behind an underscore).
std::string zsh_completion(const CLI::App& app);

}  // namespace halfstep::cli
