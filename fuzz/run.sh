#!/usr/bin/env bash
# Runs the fuzz targets, each for a fixed number of inputs: fuzz/run.sh [RUNS]
# Needs a nightly compiler (sanitizer coverage) and a C++ compiler (libFuzzer); where one is missing it says so
# and is no failure. cargo-fuzz is not needed, but works too: cargo fuzz run segment
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

runs=${1:-20000}
target=x86_64-unknown-linux-gnu

skip() {
  echo "fuzz: skipped: $*"
  exit 0
}

[ "$(uname -m)" = x86_64 ] || skip "only set up for x86_64"
cargo +nightly --version >/dev/null 2>&1 || skip "no nightly compiler (rustup toolchain install nightly)"
command -v c++ >/dev/null || skip "no C++ compiler, which libFuzzer's runtime is built with"

# What cargo-fuzz passes: coverage counters at every edge, comparisons, and AddressSanitizer.
flags=(
  --cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 -Cdebug-assertions
  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
  -Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer
)
build=${CARGO_TARGET_DIR:-../target}/fuzz
RUSTFLAGS="${flags[*]}" cargo +nightly build --release --locked --target "$target" --target-dir "$build"

scratch=$(mktemp -d /dev/shm/podring-fuzz.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
export PODRING_FUZZ_DIR=$scratch
failed=0
for name in segment script; do
  mkdir -p "$scratch/found-$name"
  log=$scratch/$name.log
  # New inputs go to the first directory; an input that fails stays here as fuzz/failed-...
  if "$build/$target/release/$name" -runs="$runs" -max_len=4096 -timeout=20 -rss_limit_mb=4096 \
    -print_final_stats=1 -artifact_prefix="failed-$name-" "$scratch/found-$name" "corpus/$name" >"$log" 2>&1; then
    units=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(grep -o "cov: [0-9]*" "$log" | tail -n 1 | cut -d" " -f2)
    kept=$(find "$scratch/found-$name" -type f | wc -l)
    echo "fuzz: $name: $units inputs, $edges edges, $kept new inputs of interest, 0 failures"
    [ "${units:-0}" -ge "$runs" ] || { echo "fuzz: $name ran too few inputs" >&2; failed=1; }
  else
    tail -n 60 "$log" >&2
    echo "fuzz: $name FAILED; the input is $PWD/failed-$name-*" >&2
    failed=1
  fi
done
exit "$failed"
