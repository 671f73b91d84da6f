#!/usr/bin/env bash
# cross_arm64.sh: builds for 64-bit Arm and runs tests under emulation: the same bits as on x86.
#
#   tools/dev/cross_arm64.sh [--all]
#
# Runs the golden vectors (fixed point with one thread) on a processor without dot products of bytes and on one with
# them (sets baseline and neondot); with --all, on the latter, also the unit tests of the kernels, on both sets, and those
# of operators and executor, on neondot: about six minutes on two idle cores, one and a half of them emulated. Installs
# Debian's cross compiler and qemu-user if they are missing. The libraries for arm64 are unpacked in build/arm64-root: installed, they would draw
# the machine's own along to their versions. Where these packages cannot be had, it says so and exits with 0.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD/build/arm64-root
programs=()
if [[ ${1:-} == --all ]]; then programs=(unit_kernels unit_ops unit_exec); fi
declare -A processor=([baseline]=cortex-a57 [neondot]=neoverse-n1)
limit=(timeout 600)  # Of each step under emulation; the longest takes one minute.

skip() {
  echo "SKIPPED: arm64: $1"
  exit 0
}

install_compiler() {
  if command -v aarch64-linux-gnu-g++ >/dev/null && command -v qemu-aarch64 >/dev/null; then return; fi
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then as_root=(sudo); fi
  "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      g++-aarch64-linux-gnu qemu-user >/dev/null
}

# Debian's packages of arm64, by lists of their own: apt's on this machine stay as they are.
unpack_libraries() {
  local packages=(libprotobuf-dev libprotobuf32 libonnx-dev libonnx1 libonnxifi libpng-dev libpng16-16 zlib1g-dev zlib1g
                  libjpeg-dev libjpeg62-turbo-dev libjpeg62-turbo
                  libspdlog-dev libspdlog1.10 libfmt-dev libfmt9 libgtest-dev libgmock-dev googletest
                  libeigen3-dev nlohmann-json3-dev libcli11-dev)
  if [[ $(cat "$root/packages" 2>/dev/null) == "${packages[*]}" ]]; then return; fi
  rm -rf "$root"
  mkdir -p "$root/lists/partial" "$root/archives"
  local apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=root
             -o Dir::State::Lists="$root/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
  "${apt[@]}" update || return 1
  (cd "$root/archives" && "${apt[@]}" download "${packages[@]}") || return 1
  for archive in "$root"/archives/*.deb; do dpkg -x "$archive" "$root" || return 1; done
  rm -rf "$root/lists" "$root/archives"
  echo "${packages[*]}" >"$root/packages"
}

# Scripts of the tools' names, for tests that start tools.
write_wrappers() {
  local folder=$1
  mkdir -p "$folder"
  for tool in quantize quantize-run; do
    printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${emulator[*]}" "$PWD/build/arm64/tools/$tool" >"$folder/$tool"
    chmod +x "$folder/$tool"
  done
}

[[ $(uname -m) == x86_64 ]] || skip "this machine is no x86-64"
install_compiler || skip "no g++-aarch64-linux-gnu or qemu-user"
unpack_libraries || skip "its packages cannot be had"
emulator=(qemu-aarch64 -L /usr/aarch64-linux-gnu
          -E "LD_LIBRARY_PATH=$root/usr/lib/aarch64-linux-gnu:$root/lib/aarch64-linux-gnu")
echo "== build (arm64)"
tools/build.sh arm64 --target quantize quantize-run "${programs[@]}"
status=0
echo "== golden tests (arm64)"
write_wrappers "$PWD/build/arm64/emulated"
"${limit[@]}" python3 -B tests/golden/golden_test.py build/arm64/emulated || status=1
# The processor has no more than the set needs: code of another set would stop with an illegal instruction.
for isa in baseline neondot; do
  export QEMU_CPU=${processor[$isa]}
  "${limit[@]}" python3 -B tests/golden/fixed_point_golden_test.py build/arm64/emulated --isa "$isa" || status=1
done
if [[ ${#programs[@]} -gt 0 ]] &&
    ! "${emulator[@]}" build/arm64/tests/unit_kernels --gtest_list_tests | grep -c /neondot >/dev/null; then
  echo "unit_kernels does not see the dot products of $QEMU_CPU"
  status=1
fi
for program in "${programs[@]}"; do
  echo "== $program (arm64)"
  # Death tests start themselves again, which needs an emulator in the kernel.
  "${limit[@]}" "${emulator[@]}" "build/arm64/tests/$program" --gtest_brief=1 --gtest_filter='-*DeathTest*' || status=1
done
exit "$status"
