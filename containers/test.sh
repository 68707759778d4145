#!/usr/bin/env bash
# Runs the tests that need real containers: test.sh [CASE...], a case being a file of tests/ without ".sh".
# For each it prints "ok", "FAIL" or "skipped: why", and at the end how many there were of each.
# shellcheck source=containers/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A case that takes longer than this is stuck.
longest_case=600

docker_usable || die "the container tests need a Docker engine, and $NO_DOCKER"

cases=("$@")
if [ "${#cases[@]}" = 0 ]; then
  for file in "$ROOT"/containers/tests/*.sh; do
    cases+=("$(basename "$file" .sh)")
  done
fi
for name in "${cases[@]}"; do
  [ -f "$ROOT/containers/tests/$name.sh" ] || die "no such case: $name"
done

say "building the static binary and the image ..."
build_binary
BUILT_IMAGE=$ID
build_image "$ID"
export PODRING PODRING_IMAGE PODRING_SUITE="$ID"

passed=0 failed=0 skipped=0
for name in "${cases[@]}"; do
  log="$SCRATCH/$name.log" note="$SCRATCH/$name.note" code=0
  began=$(now_ms)
  # What a case has to say in one line goes to descriptor 3; the rest is shown only if it fails.
  # In the background, so that an interrupt is heard at once; clean_up then ends the case, which cleans up too.
  timeout -k 30 "$longest_case" bash "$ROOT/containers/tests/$name.sh" 3>"$note" >"$log" 2>&1 </dev/null &
  CHILDREN=($!)
  wait "$!" || code=$?
  seconds=$((($(now_ms) - began + 500) / 1000))
  case $code in
    0)
      passed=$((passed + 1))
      printf 'ok       %-20s %4d s  %s\n' "$name" "$seconds" "$(cat "$note")"
      ;;
    77)
      skipped=$((skipped + 1))
      printf 'skipped: %-20s %s\n' "$name" "$(cat "$note")"
      ;;
    *)
      failed=$((failed + 1))
      printf 'FAIL     %-20s %4d s  exit code %d\n' "$name" "$seconds" "$code"
      tail -n 50 "$log" | sed 's/^/    /'
      ;;
  esac
done

# Cases clean up behind themselves, also when they fail.
leaked="$(docker ps -aq --filter "label=podring.suite=$ID")$(docker volume ls -q --filter "label=podring.suite=$ID")"
if [ -n "$leaked" ]; then
  failed=$((failed + 1))
  printf 'FAIL     %-20s left behind: %s\n' clean-up "$leaked"
fi

printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] || exit 1
