#!/usr/bin/env bash
# A ring that /dev/shm cannot hold is refused when it is made, not by a SIGBUS (exit code 135) later.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

# Docker's own /dev/shm has 64 MiB.
refused 1 NoSpace -- create big --capacity 128M --json
says "'big'" "128." "64 MiB" --shm-size= o=size= emptyDir.sizeLimit
# The remedy that the error names is one.
remedy=$(grep -o -m 1 -e '--shm-size=[0-9]*m' "$SCRATCH/err")
works "$remedy" -- create big --capacity 128M

refused 1 NoSpace -- recv big --capacity 128M --json

note "128 MiB in a 64 MiB /dev/shm: refused; created with the $remedy that the error names"
