#!/usr/bin/env bash
# fuzz.sh: builds the fuzz targets and runs them; ends with status 1 if one finds something.
#
#   tools/dev/fuzz.sh MINUTES [TARGET...]     all targets, or those named, in MINUTES together
#   tools/dev/fuzz.sh --ci                    20 seconds each
#
# Runs a target a processor (FUZZ_JOBS=N: N at once). What they learn stays in build/fuzz/corpus, what they say in
# build/fuzz/logs, inputs that are findings in build/fuzz/findings; build/fuzz/history.tsv adds up all runs.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=build/fuzz
jobs=${FUZZ_JOBS:-$(nproc)}
all=$(cd tests/fuzz && ls ./*_fuzz.cpp | sed 's|^\./||; s|_fuzz\.cpp$||')

# run_target NAME SECONDS: until the time is over, or five findings. Writes "name executions
# cpu-seconds coverage findings".
run_target() {
  local name=$1 seconds=$2 start=$SECONDS executions=0 findings=0 coverage=0 cpu=0 left
  local log=$build/logs/$name.log corpus=$build/corpus/$name committed=tests/fuzz/corpus/$name
  mkdir -p "$corpus" "$build/logs" "$build/findings"
  local folders=("$corpus" "$build/seeds/$name")
  if [[ -d $committed ]]; then folders+=("$committed"); fi
  : >"$log"
  while left=$((seconds - (SECONDS - start))); ((left > 0 && findings < 5)); do
    local one=$log.part status=0 TIMEFORMAT='%U %S'
    { time ASAN_OPTIONS=quarantine_size_mb=16 "$build/tests/fuzz/fuzz_$name" -max_total_time="$left" \
        -rss_limit_mb=2560 -malloc_limit_mb=1024 -timeout=60 -max_len=20000 -print_final_stats=1 \
        -artifact_prefix="$build/findings/$name-" "${folders[@]}" >"$one" 2>&1; } 2>"$one.time" || status=$?
    if ((status != 0)); then findings=$((findings + 1)); fi
    cpu=$(awk -v so_far="$cpu" '{ print int(so_far + $1 + $2 + 0.5) }' "$one.time")
    executions=$((executions + $(sed -n 's/^stat::number_of_executed_units: *//p' "$one" | tail -1 | grep . || echo 0)))
    coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$one" | tail -1 | grep . || echo "$coverage")
    cat "$one" >>"$log"
    rm "$one" "$one.time"
  done
  printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$executions" "$cpu" "$coverage" "$findings"
}
if [[ ${1:-} == --target ]]; then  # For the parallel runs below.
  run_target "$2" "$3"
  exit
fi

if [[ ${1:-} == --ci ]]; then
  seconds=20
  shift
elif [[ ${1:-} =~ ^[0-9]+$ ]]; then
  minutes=$1
  shift
else
  sed -n '4,5s/^# *//p' "$0" >&2
  exit 2
fi
targets=${*:-$all}
for target in $targets; do
  if [[ ! -f tests/fuzz/${target}_fuzz.cpp ]]; then
    echo "fuzz.sh: there is no target '$target'; there are: ${all//$'\n'/ }" >&2
    exit 2
  fi
done
number=$(wc -w <<<"$targets")
if ((jobs > number)); then jobs=$number; fi
seconds=${seconds:-$((minutes * 60 * jobs / number))}

tools/build.sh fuzz
python3 -B tests/fuzz/make_seeds.py $build/seeds
touch $build/started
result=$build/result.tsv
xargs -P "$jobs" -I '{}' tools/dev/fuzz.sh --target '{}' "$seconds" <<<"${targets// /$'\n'}" >$result

sort -o $result $result
sed "s/^/$(date -u +%Y-%m-%d)\t/" $result >>$build/history.tsv
awk -F '\t' '
  BEGIN { printf "%-18s %12s %9s %9s %9s %13s\n", "target", "executions", "CPU s", "coverage", "findings", "hours in all" }
  FILENAME ~ /history/ { hours[$2] += $4 / 3600; next }
  { printf "%-18s %12d %9d %9d %9d %13.2f\n", $1, $2, $3, $4, $5, hours[$1] }' $build/history.tsv $result
# Slow inputs are kept for the curious; what hangs is a finding of its own.
found=$(find $build/findings -type f -newer $build/started ! -name '*-slow-unit-*' | sort)
for file in $found; do
  name=$(basename "$file")
  echo "FOUND: $build/tests/fuzz/fuzz_${name%%-*} $file"
done
awk -F '\t' '$5 > 0 { status = 1 } END { exit status }' $result
