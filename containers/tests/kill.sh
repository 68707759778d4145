#!/usr/bin/env bash
# Either side of a stream is killed by `docker kill -s KILL` 100 times and started again, in turn. Every message
# whose send returned arrives, once and in order; a message comes again only if its reader died before it
# released it; the survivor goes on within a second after the successor is there; nothing is left in /dev/shm
# but the ring.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

kills=${PODRING_KILLS:-100}
# After a successor has taken its seat, nobody may wait longer than this.
patience_ms=1000
# However slow Docker is, a killed side is back in its seat by then.
restart_ms=30000

use_shm
# The accounts, which must outlive every kill.
new_volume journal 16m
SHM+=(-v "$ID-journal:/journal:nocopy")
side() { start "$1" "${SHM[@]}" --cpu-shares 128 -- verify "$2" stream --journal /journal --json "${@:3}"; }

start_keeper
side consumer consumer
side producer producer
eventually 20 in_keeper info stream

# What is in the ring's head now, in FACTS.
look() { FACTS=$(in_keeper info stream --json); }
position() { json "$1" <<<"$FACTS"; }
seated() { [ "$(seat "$1" <<<"$FACTS" | json live)" = true ]; }

longest_ms=0
# Kills a side in the middle of the stream and starts it again: kill_and_restart producer|consumer
kill_and_restart() {
  local killed=$1 word goal began asked came='' took
  docker kill -s KILL "$ID-$killed" >/dev/null
  look
  if seated "$killed"; then die "the $killed has been killed and still holds its seat: $FACTS"; fi
  # What the survivor cannot reach alone: a reader, more than was written; a writer, more than fits.
  case $killed in
    producer) word=read_bytes goal=$(position written_bytes) ;;
    consumer) word=written_bytes goal=$(($(position read_bytes) + $(position capacity_bytes))) ;;
  esac
  docker start "$ID-$killed" >/dev/null
  began=$(now_ms)
  while :; do
    asked=$(now_ms)
    look
    if [ "$(position "$word")" -gt "$goal" ]; then break; fi
    # A look that began a second after the successor was seen must find that the survivor went on.
    if [ -z "$came" ]; then
      if seated "$killed"; then came=$(now_ms); fi
      [ "$((asked - began))" -lt "$restart_ms" ] || die "the $killed did not come back: $FACTS"
    else
      [ "$((asked - came))" -le "$patience_ms" ] || die "no progress $((asked - came)) ms after the $killed is back: $FACTS"
    fi
  done
  took=$(($(now_ms) - began))
  if [ "$took" -gt "$longest_ms" ]; then longest_ms=$took; fi
}

for ((round = 1; round <= kills; round++)); do
  kill_and_restart producer
  kill_and_restart consumer
done

# The stream's end: this producer stops where it is, a last one closes the ring, the consumer drains it.
docker kill -s TERM "$ID-producer" >/dev/null
ended producer
[ "$CODE" = 0 ] || die "producer: exit code $CODE: $(cat "$SCRATCH"/producer.*)"
side last producer --count 1000
for name in last consumer; do
  ended "$name"
  [ "$CODE" = 0 ] || die "$name: exit code $CODE: $(cat "$SCRATCH/$name".*)"
done

account=$(in_keeper verify account --journal /journal --json) || die "the accounts do not match: $account"
intact <<<"$account"
[ "$(json runs <<<"$account")" = "$((kills + 2))" ] || die "not $kills + 2 runs: $account"

remains=$(in_keeper ls --json | json_all name)
[ "$remains" = stream ] || die "not only the ring remains in /dev/shm: $remains"

note "$kills + $kills kills, $(json messages <<<"$account") messages: 0 lost, 0 duplicated, 0 corrupt," \
  "$(json redelivered <<<"$account") redelivered; survivors seen going on within $longest_ms ms of a restart"
