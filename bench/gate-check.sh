#!/usr/bin/env bash
# Does the gate tell what it should? gate-check.sh [ROUNDS]
#
# ROUNDS times (20) a program against itself: it must pass. As often against itself with 200 ns lost before each
# message: it must fail. "Too noisy to tell" is neither; it counts against the gate here. Then the instruction counts
# with one instruction wasted for each message: they must fail.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds=${1:-20}
bench=${PODRING_BENCH:-}
if [ -z "$bench" ]; then
  cargo build --release --locked -p podring-bench --bins
  target=$(cargo metadata --format-version 1 --no-deps --locked | grep -o '"target_directory":"[^"]*"' | cut -d'"' -f4)
  bench=$target/release/podring-bench
fi

# A few seconds: a median of short runs, in turn, until it can be told.
measure=(latency --subject podring --size 64 --wait spin --count 20000 --floor-count 2000)

# gate CODE [argument...]: runs the gate; 0 if it ends with CODE.
gate() {
  local wanted=$1 code=0
  shift
  "$bench" "${measure[@]}" --baseline "$bench" --fail-if 'p50 > +10% of baseline' --format csv \
    --out /dev/null "$@" >"$log" || code=$?
  [ "$code" = "$wanted" ] || { echo "exit code $code: $(grep -m 1 'baseline)' "$log")" >&2; return 1; }
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0
for ((round = 0; round < rounds; round++)); do
  if gate 0; then passed=$((passed + 1)); fi
  if gate 4 --handicap-ns 200; then failed=$((failed + 1)); fi
done
echo "the same program: passed $passed of $rounds; 200 ns slower: failed $failed of $rounds"
[ "$passed" = "$rounds" ] && [ "$failed" = "$rounds" ]

code=0
"$(dirname "$bench")/podring-instructions" --handicap >"$log" || code=$?
grep -E ' off\.|SKIPPED' "$log"
# Where nothing can be counted, or another compiler is here, there is nothing to tell.
[ "$code" = 4 ] || grep -q SKIPPED "$log"
