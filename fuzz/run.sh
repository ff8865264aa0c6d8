#!/bin/sh
# fuzz/run.sh [SECONDS] [TARGET...]: runs the built fuzz targets (all of them by default) for SECONDS each (60), two at
# a time, from seeds made by fuzz/seeds.py. Fails on any finding and says where it lies; a finding becomes a file in
# fuzz/regress/NAME/ (NAME without fuzz_), which the unit tests replay. FUZZ_BUILD names another build folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${FUZZ_BUILD:-$here/../build/fuzz}
seconds=${1:-60}
[ $# -gt 0 ] && shift

if [ $# -eq 0 ]; then
  for program in "$build"/fuzz/fuzz_*; do
    [ -x "$program" ] && [ -f "$program" ] && set -- "$@" "$(basename "$program")"
  done
fi
if [ $# -eq 0 ]; then
  echo "fuzz/run.sh: nothing built; cmake --preset fuzz && cmake --build build/fuzz --target fuzzers" >&2
  exit 2
fi

/usr/bin/python3 "$here/seeds.py" "$build/seeds"

# What one target does; called below through xargs.
cat > "$build/fuzz-one.sh" <<'ONE'
set -u
build=$1 here=$2 seconds=$3 target=$4
name=${target#fuzz_}
mkdir -p "$build/corpus/$name" "$build/findings/$name" "$build/seeds/$name"
regress=
[ -d "$here/regress/$name" ] && regress=$here/regress/$name
log=$build/findings/$name.log
if "$build/fuzz/$target" -max_total_time="$seconds" -rss_limit_mb=512 -malloc_limit_mb=256 -timeout=5 \
    -print_final_stats=1 -verbosity=1 -artifact_prefix="$build/findings/$name/" \
    "$build/corpus/$name" "$build/seeds/$name" $regress > "$log" 2>&1; then
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  echo "$target: $runs executions, no finding"
else
  echo "$target: FINDING, see $log" >&2
  grep -E 'ERROR|SUMMARY|Test unit written' "$log" >&2
  exit 1
fi
ONE

printf '%s\n' "$@" | xargs -n 1 -P 2 sh "$build/fuzz-one.sh" "$build" "$here" "$seconds"
