#!/usr/bin/env bash
# check_format.sh: fails if clang-format would change a source file.
set -euo pipefail
cd "$(dirname "$0")/../.."
formatter=$(command -v clang-format-14 || command -v clang-format)
find include src tools tests -name '*.hpp' -o -name '*.cpp' | sort | xargs "$formatter" --dry-run -Werror
