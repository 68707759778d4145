#!/usr/bin/env bash
# Two users: a ring of mode 0600 stays its owner's, and the error names both; --mode 0666 opens it to the other.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

use_shm
start_keeper
in_keeper create private
refused 1 Permission "${SHM[@]}" --user 2000:2000 -- recv private --json
says "'private'" "uid 2000" "uid 1000" "mode 0600" 0666

in_keeper create shared --mode 0666
start consumer "${SHM[@]}" --user 2000:2000 -- recv shared --format lines -n 1
printf 'from 1000 to 2000\n' | run_hardened --rm -i "${SHM[@]}" -- send shared --format lines
ended consumer
[ "$CODE $(cat "$SCRATCH/consumer.out")" = "0 from 1000 to 2000" ] || die "exit code $CODE
$(cat "$SCRATCH"/consumer.*)"

note "0600: refused, both users named; 0666: a message from user 1000 to user 2000"
