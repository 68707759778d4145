#!/usr/bin/env bash
# A peer that never comes: a deadline ends every wait.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

use_shm
refused 124 Timeout "${SHM[@]}" -- recv orders --timeout 1s --json
says "'orders'" "other side is not attached"
refused 124 Timeout "${SHM[@]}" -- send orders --wait-for-peer 1s --json
says "'orders'" "other side is not attached"
refused 3 NotFound "${SHM[@]}" -- recv never-made --no-create --open-timeout 1s --json
says "'never-made'" /dev/shm "the same volume"

note "recv --timeout and send --wait-for-peer: 124; recv --no-create: not found"
