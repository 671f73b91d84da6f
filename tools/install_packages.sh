#!/usr/bin/env bash
# install_packages.sh: installs what building needs from Debian's packages, if anything is missing.
#
#   tools/install_packages.sh [--with-checks | --with-packaging]
#
# --with-checks adds what only the checks of tools/test.sh need (clang-format, a second compiler with libFuzzer, a
# browser for the HTML report), --with-packaging what tools/dev/package.sh needs.
set -euo pipefail

packages=(cmake ninja-build g++ protobuf-compiler libprotobuf-dev libonnx-dev libeigen3-dev libcli11-dev
          nlohmann-json3-dev libspdlog-dev libpng-dev libjpeg-dev libgtest-dev libgmock-dev python3)
if [[ "${1:-}" == --with-checks ]]; then
  packages+=(clang clang-format libclang-rt-dev python3-venv git chromium curl groff-base)
elif [[ "${1:-}" == --with-packaging ]]; then
  packages+=(debootstrap dpkg-dev file git python3-venv)
fi

missing=()
for package in "${packages[@]}"; do
  if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
    missing+=("$package")
  fi
done
if [[ ${#missing[@]} -eq 0 ]]; then
  exit 0
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "install_packages.sh: not root and no sudo; install by hand: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
