#!/usr/bin/env bash
# A ring beyond the container's memory limit is refused before the kernel kills the container (exit code 137).
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

use_shm
start limited "${SHM[@]}" --memory=32m -- create big --capacity 64M
ended limited
killed=$(docker inspect --format '{{.State.OOMKilled}}' "$ID-limited")
[ "$CODE $killed" = "1 false" ] || die "exit code $CODE, killed for memory: $killed
$(cat "$SCRATCH"/limited.*)"

refused 1 MemoryLimit "${SHM[@]}" --memory=32m -- create big --capacity 64M --json
says "'big'" "64.0 MiB" "32 MiB"
# The remedy that the error names is one.
remedy=$(grep -o -m 1 -e '--memory=[0-9]*m' "$SCRATCH/err")
works "${SHM[@]}" "$remedy" -- create big --capacity 64M

note "64 MiB under a limit of 32 MiB: refused, nothing killed; created with the $remedy that the error names"
