#!/usr/bin/env bash
# build.sh: configures and builds a preset; on a terminal, ninja's status line shows how far it is.
#
#   tools/build.sh PRESET [--target NAME...] [-D...]
#
# Uses the compiler cache where ccache is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift

configure=()
build=()
for argument in "$@"; do
  if [[ $argument == -D* ]]; then configure+=("$argument"); else build+=("$argument"); fi
done
if command -v ccache >/dev/null; then
  configure+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  # What a cached compilation with precompiled headers needs; see "Precompiled headers" in ccache's manual.
  export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
fi
cmake --preset "$preset" "${configure[@]}" >/dev/null
if [[ -t 1 ]]; then
  NINJA_STATUS='[%f/%t, %es] ' cmake --build --preset "$preset" "${build[@]}"
else
  # A log needs no line for each file: one in twenty says that it goes on.
  NINJA_STATUS='[%f/%t, %es] ' cmake --build --preset "$preset" "${build[@]}" |
    awk '!/^\[[0-9]+\// || NR % 20 == 0 { print; fflush() }'
fi
