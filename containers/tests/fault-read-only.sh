#!/usr/bin/env bash
# A volume mounted :ro serves neither side of a ring.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

use_shm
start_keeper
in_keeper create orders
refused 1 ReadOnly -v "$ID-shm:/dev/shm:ro" -- recv orders --no-create --json
says "'orders'" "read-only mount" ":ro"
refused 1 ReadOnly -v "$ID-shm:/dev/shm:ro" -- create other --json
# Looking at it needs no right to write.
works -v "$ID-shm:/dev/shm:ro" -- info orders

note "consumer and creator refused on a :ro volume; info still works"
