#!/usr/bin/env bash
# A ring removed and made anew under a live participant: it is told, rather than left waiting on a ring that
# nobody else will ever see.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

use_shm
start_keeper
start consumer "${SHM[@]}" -- recv orders --json
eventually 20 in_keeper info orders
# In use: not removed by mistake.
refused 3 RoleTaken "${SHM[@]}" -- rm orders --json
in_keeper rm orders --force
in_keeper create orders

ended consumer 20
found=$(cat "$SCRATCH"/consumer.* | json kind) || found="no kind"
[ "$CODE $found" = "1 Replaced" ] || die "exit code $CODE, $found
$(cat "$SCRATCH"/consumer.*)"

note "rm refuses a live ring; with --force its consumer gets Replaced"
