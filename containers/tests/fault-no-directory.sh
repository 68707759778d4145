#!/usr/bin/env bash
# --ipc=none takes /dev/shm away: said so, with what to do.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

refused 3 NoDirectory --ipc none -- create orders --json
says "'orders'" /dev/shm --ipc=none "-v VOLUME:/dev/shm"
refused 3 NoDirectory --ipc none -- recv orders --no-create --open-timeout 1s --json
# A volume there mends it, whatever the IPC mode.
use_shm
works --ipc none "${SHM[@]}" -- create orders

note "--ipc=none is named; a volume at /dev/shm mends it"
