// cli.hpp: the tools' option parser.
#pragma once

#include <CLI/CLI.hpp>
