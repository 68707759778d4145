#!/usr/bin/env bash
# The plain docker commands of containers/run.sh work as they stand.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

timeout 120 "$ROOT/containers/run.sh" >"$SCRATCH/out" 2>&1 || die "exit code $?
$(cat "$SCRATCH/out")"
grep -q '\b0 lost\b' "$SCRATCH/out" || die "no \"0 lost\" in: $(cat "$SCRATCH/out")"

note "both containers ended well"
