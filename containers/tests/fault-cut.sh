#!/usr/bin/env bash
# A ring is cut short under two live participants, which nothing can prevent: both end by SIGBUS (exit code 135), say
# which ring it was and what to do, and the container engine reports the end like any other. Who comes later is told,
# and can mend it.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

use_shm
start_keeper
start consumer "${SHM[@]}" -- verify consumer orders --json
start producer "${SHM[@]}" -- verify producer orders --json
flowing() { [ "$(in_keeper info orders --json | json read_bytes)" -gt 0 ]; }
eventually 20 flowing
volume=$(docker volume inspect --format '{{.Mountpoint}}' "$ID-shm")
[ -w "$volume/orders" ] || skip "the volume's files cannot be reached from here: $volume"
truncate --size 0 "$volume/orders"

for side in consumer producer; do
  ended "$side" 20
  found=$(json kind <"$SCRATCH/$side.out") || found="no kind"
  [ "$CODE $found" = "135 Bus" ] || die "$side: exit code $CODE, $found
$(cat "$SCRATCH/$side".*)"
  cp "$SCRATCH/$side.err" "$SCRATCH/err"
  says "ring 'orders' was cut short" "podring rm --force orders"
  state=$(docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}' "$ID-$side")
  [ "$state" = "exited 135 false" ] || die "$side: $state"
done

refused 3 NotARing "${SHM[@]}" -- info orders --json
in_keeper rm --force orders
works "${SHM[@]}" -- create orders

note "both sides: exit code 135, the ring named; then NotARing, and made anew"
