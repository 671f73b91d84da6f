#!/usr/bin/env bash
# package.sh: builds the Debian package, the archive and the Python wheel, and tests each in a clean place.
#
#   tools/dev/package.sh [deb] [tgz] [wheel]     all three by default; results in build/dist
#
# The clean place of the first two is a minimal Debian that debootstrap makes once (build/package-base) and every test
# copies: the package is installed there with its dependencies, and lintian reads it; the archive is unpacked there
# with nothing beside it. Without debootstrap or its packages, dpkg --root installs the package into an empty folder,
# with this machine's libraries, the archive runs here, and lintian is left out unless this machine has it. The wheel is
# installed in a fresh virtual environment. Needs root for debootstrap and chroot, and pip for the wheel.
set -euo pipefail
cd "$(dirname "$0")/../.."
forms=("$@")
[[ ${#forms[@]} -gt 0 ]] || forms=(deb tgz wheel)
for form in "${forms[@]}"; do
  if [[ ! $form =~ ^(deb|tgz|wheel)$ ]]; then
    echo "package.sh: no such package: $form; deb, tgz or wheel" >&2
    exit 2
  fi
done

digits=$PWD/tests/data/digits
base=$PWD/build/package-base
place=$PWD/build/package-test
dist=$PWD/build/dist
release=$PWD/build/release
mapfile -t tools < <(sed -n 's/^set(HALFSTEP_TOOLS \(quantize .*\))$/\1/p' tools/CMakeLists.txt | tr ' ' '\n')
mkdir -p "$dist"
rm -rf "$place"
mkdir -p "$place"

say() { printf '== %s\n' "$*"; }
fail() { echo "package.sh: $*" >&2; exit 1; }

# A minimal Debian of the release that this machine runs, from the mirror that it uses.
make_base() {
  [[ ! -e $base/halfstep.ready ]] || return 0
  command -v debootstrap >/dev/null && [[ $(id -u) -eq 0 ]] || return 1
  local codename mirror
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' |
    awk -v name="$codename" '$2 == name && !found { print $1; found = 1 }')
  [[ -n $mirror ]] || return 1
  say "a minimal Debian $codename, once"
  rm -rf "$base"
  debootstrap --variant=minbase "$codename" "$base" "$mirror" >build/debootstrap.log 2>&1 || return 1
  apt-config dump Acquire >"$base/etc/apt/apt.conf.d/99host"  # Its proxies.
  touch "$base/halfstep.ready"
}

# fresh_root NAME: a copy of the base with the digits in /data, as $root; or an empty folder and in_root() runs here.
fresh_root() {
  root=$place/$1
  if make_base; then
    cp -a --reflink=auto "$base" "$root"
    cp -r "$digits" "$root/data"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    mkdir "$root/work"
    has_base=true
  else
    say "no debootstrap, or not its packages (see build/debootstrap.log): a folder on this machine instead"
    mkdir -p "$root/work"
    cp -r "$digits" "$root/data"
    has_base=false
  fi
}

# in_root COMMAND: in a shell, with $here the root's path as the command sees it, and nothing of this environment.
in_root() {
  if $has_base; then
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive here= \
      unshare --mount bash -c 'mount -t proc proc "$1/proc" && exec chroot "$1" bash -euo pipefail -c "$2"' \
      in_root "$root" "$1"
  else
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root here="$root" bash -euo pipefail -c "$1"
  fi
}

# try_tools FOLDER: the tools of FOLDER in the root find their recipes, quantize and judge the digits, and give the bits
# of the build's own.
try_tools() {
  local tool
  for tool in "${tools[@]}"; do in_root "\$here$1/$tool --version | head -1" >/dev/null; done
  in_root "cd \$here/work
           PATH=\$here$1:\$PATH
           quantize --config tidl-simple --explain \$here/data/digits.onnx | grep -q 'power_of_two *recipe tidl-simple'
           quantize --quiet --input_list \$here/data/calib.txt \$here/data/digits.onnx >/dev/null
           quantize-eval --input_list \$here/data/eval.txt --labels \$here/data/eval_labels.txt --min_top1 99 \
             --max_top1_drop 1 \$here/data/digits.onnx digits.quantized.onnx | grep -A 3 '^Gates'"
  mkdir -p "$place/here"
  (cd "$place/here" &&
    "$release/tools/quantize" --quiet --input_list "$digits/calib.txt" "$digits/digits.onnx" >/dev/null)
  cmp "$place/here/digits.quantized.onnx" "$root/work/digits.quantized.onnx"
}

# check_needs PROGRAM...: each needs the C library alone, of a version that Debian 12 has; sets $glibc, "2.34".
check_needs() {
  local needed
  needed=$(objdump -p "$@" | awk '$1 == "NEEDED" { print $2 }' | sort -u |
    grep -vxE 'lib(c|m)\.so\.6|ld-linux-x86-64\.so\.2' || true)
  [[ -z $needed ]] || fail "$* need $needed"
  glibc=$(objdump -T "$@" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -1)
  glibc=${glibc#GLIBC_}
  [[ $(printf '%s\n2.36\n' "$glibc" | sort -V | tail -1) == 2.36 ]] || fail "$* need glibc $glibc; Debian 12 has 2.36"
}

# The library and what is linked to shared libraries, in build/release; then the tools alone again, with archives.
say "build (release)"
tools/build.sh release --target halfstep "${tools[@]}"
library=$release/src/libhalfstep.a

for form in "${forms[@]}"; do
  case $form in
    deb)
      rm -f "$dist"/halfstep_*.deb
      (cd "$release" && cpack -G DEB -B "$dist" >"$place/cpack.log" 2>&1) || { cat "$place/cpack.log"; exit 1; }
      rm -rf "$dist/_CPack_Packages"
      package=$(echo "$dist"/halfstep_*.deb)
      say "$(basename "$package"), $(du -h "$package" | cut -f 1)"
      fresh_root deb
      cp "$package" "$root/work"
      if $has_base; then
        in_root "apt-get -qq update && apt-get -qq install -y --no-install-recommends /work/halfstep_*.deb" \
          >"$place/apt.log" 2>&1 || { cat "$place/apt.log"; exit 1; }
      else
        mkdir -p "$root"/var/lib/dpkg/{info,updates}
        touch "$root"/var/lib/dpkg/{status,available}
        dpkg --root="$root" --force-depends --install "$package" >"$place/apt.log" 2>&1 ||
          { cat "$place/apt.log"; exit 1; }
      fi
      try_tools /usr/bin
      for tool in "${tools[@]}"; do
        for file in man/man1/$tool.1.gz bash-completion/completions/$tool zsh/vendor-completions/_$tool; do
          [[ -s $root/usr/share/$file ]] || fail "usr/share/$file is not installed"
        done
      done
      say "a project that links the installed library"
      cmake -S tests/cli/outside_project -B "$place/outside" -G Ninja -DCMAKE_PREFIX_PATH="$root/usr" >/dev/null
      cmake --build "$place/outside" >/dev/null
      (cd "$place" && outside/outside "$digits/digits.onnx" "$digits/calib.txt")
      if $has_base; then
        in_root "dpkg --purge halfstep >/dev/null && ! test -e /usr/bin/quantize && ! test -e /usr/share/halfstep"
        in_root "apt-get -qq install -y --no-install-recommends lintian" >"$place/apt.log" 2>&1 ||
          { cat "$place/apt.log"; exit 1; }
        say "lintian"
        in_root "lintian --allow-root --fail-on error /work/halfstep_*.deb"
      elif command -v lintian >/dev/null; then
        say "lintian"
        lintian --allow-root --fail-on error "$package"
      else
        say "SKIPPED: lintian"
      fi
      ;;
    tgz)
      say "build (package)"
      tools/build.sh package "-DHALFSTEP_LIBRARY=$library"
      rm -f "$dist"/halfstep-*.tar.gz
      (cd build/package && cpack -G TGZ -B "$dist" >"$place/cpack.log" 2>&1) || { cat "$place/cpack.log"; exit 1; }
      rm -rf "$dist/_CPack_Packages"
      package=$(echo "$dist"/halfstep-*.tar.gz)
      say "$(basename "$package"), $(du -h "$package" | cut -f 1)"
      fresh_root tgz
      mkdir -p "$root/opt/halfstep"
      tar -xzf "$package" -C "$root/opt/halfstep" --strip-components 1
      check_needs "$root"/opt/halfstep/bin/*
      say "needs the C library alone, of version $glibc or newer"
      try_tools /opt/halfstep/bin
      for file in "$root"/opt/halfstep/share/doc/halfstep/licences/*; do
        grep -q "$(basename "$file")" NOTICE || fail "NOTICE does not name $(basename "$file")"
      done
      ;;
    wheel)
      rm -f "$dist"/halfstep-*.whl
      python3 -m venv "$place/tools"
      "$place/tools/bin/pip" -q install wheel
      say "build (wheel)"
      # In a folder of its own, for scikit-build-core forgets what a folder was configured with.
      "$place/tools/bin/pip" -q wheel . --no-deps --wheel-dir "$place/wheel" "-Ccmake.define.HALFSTEP_LIBRARY=$library" \
        "-Ccmake.define.CMAKE_CXX_COMPILER_LAUNCHER=$(command -v ccache || true)"
      unpacked=$place/unpacked
      mkdir "$unpacked"
      (cd "$unpacked" && python3 -m zipfile -e "$place"/wheel/halfstep-*.whl .)
      check_needs "$unpacked"/halfstep-*.data/scripts/*
      # The C library that it needs is what other machines' pip has to know.
      "$place/tools/bin/python" -m wheel tags --remove --platform-tag "manylinux_${glibc/./_}_$(uname -m)" \
        "$place"/wheel/halfstep-*.whl >/dev/null
      mv "$place"/wheel/halfstep-*.whl "$dist"
      package=$(echo "$dist"/halfstep-*.whl)
      say "$(basename "$package"), $(du -h "$package" | cut -f 1)"
      python3 -m venv "$place/venv"
      "$place/venv/bin/pip" -q install --no-index "$package"
      for tool in "${tools[@]}"; do env -i "$place/venv/bin/$tool" --version >/dev/null; done
      (cd "$place" && env -i PATH=/usr/bin:/bin "$place/venv/bin/python" -B "$OLDPWD/tests/python/halfstep_test.py")
      ;;
  esac
done
rm -rf "$place"
say "built and tested: $(cd "$dist" && echo *)"
