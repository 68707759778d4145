#!/usr/bin/env bash
# A ring has one producer: a second one, in another container, is told who holds the seat.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

use_shm
start first -i "${SHM[@]}" -- send orders
holder=$(docker inspect --format '{{.Config.Hostname}}' "$ID-first")
start_keeper
eventually 20 in_keeper info orders

refused 3 RoleTaken "${SHM[@]}" -- send orders --json
says "'orders'" "already has a producer" "$holder"
# Both are PID 1 of their namespaces: only the kernel's lock tells them apart. Once the holder is dead:
docker kill -s KILL "$ID-first" >/dev/null
works -i "${SHM[@]}" -- send orders

note "second producer refused, holder $holder named; seat free once the holder is killed"
