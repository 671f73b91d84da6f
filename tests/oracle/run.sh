#!/usr/bin/env bash
# run.sh: compares the tools with ONNX Runtime, in a virtual environment of its own.
#
#   tests/oracle/run.sh TOOLS_DIR [OPTION...]     options of compare_with_onnxruntime.py
#
# TOOLS_DIR holds the four tools; nothing else of a build is needed. Exit status:
# 0 all agree, 1 something differs, 77 skipped because the Python packages can't be
# had. The environment is made once, under build/oracle-venv;
# HALFSTEP_ORACLE_PYTHON=FILE names an interpreter to use instead.
# HALFSTEP_AIMET_PYTHON=FILE names one that has aimet_onnx: then its files are tried, too.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
if [ $# -lt 1 ]; then
  sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
tools=$(cd "$1" && pwd)
shift

skip() {
  echo "SKIPPED: $1" >&2
  exit 77
}

# Prints the interpreter of an environment with the pinned packages, made if it is missing.
environment() {
  local folder=$root/build/oracle-venv stamp
  command -v python3 >/dev/null || skip "python3 is missing"
  stamp=$folder/$(cksum <"$here/requirements.txt" | tr ' ' '-')
  mkdir -p "$root/build"
  exec 9>"$root/build/oracle-venv.lock"
  flock 9
  if [ ! -e "$stamp" ]; then
    if ! "$folder/bin/python" -c '' 2>/dev/null; then
      rm -rf "$folder"
      python3 -m venv "$folder" >/dev/null 2>&1 || skip "python3 -m venv fails; is python3-venv installed?"
    fi
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --retries 1 --timeout 30 \
      -r "$here/requirements.txt" >&2 ||
      skip "the packages of tests/oracle/requirements.txt can't be installed"
    touch "$stamp"
  fi
  flock -u 9
  echo "$folder/bin/python"
}

python=${HALFSTEP_ORACLE_PYTHON:-}
if [ -z "$python" ]; then
  python=$(environment) || exit $?
fi
exec "$python" "$here/compare_with_onnxruntime.py" --tools "$tools" "$@"
