#!/usr/bin/env bash
# test.sh: installs what is missing, builds, runs every check and test.
#
#   tools/test.sh [PRESET]     release by default; dev and asan run with asserts on; clang: its golden tests only
#
# Checks: include layering, formatting. Tests: unit, property, golden, command
# line, the ONNX operator tests and real models where ../shared is present, and
# the comparisons with ONNX Runtime where its packages can be had. With release,
# the tools are built for 64-bit Arm, too, and must give the same bits
# (tools/dev/cross_arm64.sh; under emulation, where its packages can be had).
# Every preset but clang replays the inputs of the fuzz targets and runs mutants of them, each for HALFSTEP_FUZZ_SECONDS
# (20); asan also has libFuzzer look for 20 s (tools/dev/fuzz.sh --ci).
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}

tools/install_packages.sh --with-checks
echo "== layering"
python3 tools/dev/check_layers.py
echo "== formatting"
tools/dev/check_format.sh
echo "== build ($preset)"
if [[ $preset == clang ]]; then
  # The same bits by another compiler; continuous integration, whose time is short, leaves it to developers.
  tools/build.sh clang --target quantize quantize-run
  python3 -B tests/golden/golden_test.py build/clang/tools
  exec python3 -B tests/golden/fixed_point_golden_test.py build/clang/tools
fi
tools/build.sh "$preset" -DHALFSTEP_BUILD_TESTS=ON
echo "== tests ($preset)"
if [[ ! -d ../shared/data ]]; then
  echo "SKIPPED: ../shared is absent: the ONNX operator tests, and the real models of property_tests and oracle"
fi
status=0
export HALFSTEP_FUZZ_SECONDS=${HALFSTEP_FUZZ_SECONDS:-20}
# Of one command of a test: what sanitizers slow down is not hanging.
if [[ $preset != release ]]; then export HALFSTEP_TIMEOUT_SECONDS=${HALFSTEP_TIMEOUT_SECONDS:-600}; fi
ctest --preset "$preset" --no-tests=error --parallel "$(nproc)" || status=$?
# Why a test was skipped is in CTest's log only.
grep '^SKIPPED:' "build/$preset/Testing/Temporary/LastTest.log" || true
if [[ $preset == release ]]; then
  tools/dev/cross_arm64.sh || status=1
fi
if [[ $preset == asan ]]; then
  echo "== fuzzing"
  tools/dev/fuzz.sh --ci || status=1
fi
exit "$status"
