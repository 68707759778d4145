#!/usr/bin/env bash
# Either side of a stream stands still for 5 seconds, by `docker pause` and by SIGSTOP. The other side, though it
# asked to be told of a death, does not take it for dead, and nothing is lost.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

standstill=5

halt() {
  case $1 in
    pause) docker pause "$2" ;;
    stop) docker kill -s STOP "$2" ;;
  esac >/dev/null
}
go_on() {
  case $1 in
    pause) docker unpause "$2" ;;
    stop) docker kill -s CONT "$2" ;;
  esac >/dev/null
}

look() { FACTS=$(in_keeper info "$RING" --json); }
position() { json "$1" <<<"$FACTS"; }
beyond() { look && [ "$(position "$1")" -gt "$2" ]; }

# stand_still pause|stop producer|consumer
stand_still() {
  local how=$1 who=$2 word stood side sent
  RING=$how-$who
  for side in consumer producer; do
    start "$RING-$side" "${SHM[@]}" -- verify "$side" "$RING" --peer-loss report --json
  done
  case $who in
    producer) word=written_bytes ;;
    consumer) word=read_bytes ;;
  esac
  eventually 20 in_keeper info "$RING"
  eventually 20 beyond "$word" 0

  halt "$how" "$ID-$RING-$who"
  look
  stood=$(position "$word")
  sleep "$standstill"
  look
  [ "$(position "$word")" = "$stood" ] || die "the $who did not stand still: $stood, then $FACTS"
  for side in producer consumer; do
    [ "$(seat "$side" <<<"$FACTS" | json live)" = true ] || die "the $side is not in its seat: $FACTS"
    [ "$(docker inspect --format '{{.State.Running}}' "$ID-$RING-$side")" = true ] ||
      die "the $side ended: $(docker logs "$ID-$RING-$side" 2>&1)"
  done
  go_on "$how" "$ID-$RING-$who"
  eventually 20 beyond "$word" "$stood"

  # This producer stops where it is, a last one closes the ring, the consumer drains it.
  docker kill -s TERM "$ID-$RING-producer" >/dev/null
  ended "$RING-producer"
  start "$RING-last" "${SHM[@]}" -- verify producer "$RING" --count 1000 --json
  sent=0
  for side in producer last consumer; do
    ended "$RING-$side"
    [ "$CODE" = 0 ] || die "$side: exit code $CODE: $(cat "$SCRATCH/$RING-$side".*)"
    [ "$side" = consumer ] || sent=$((sent + $(json messages <"$SCRATCH/$RING-$side.out")))
  done
  [ "$(json messages <"$SCRATCH/$RING-consumer.out")" = "$sent" ] ||
    die "not as many received as sent: $(cat "$SCRATCH/$RING"-*.out)"
  intact <"$SCRATCH/$RING-consumer.out"
}

use_shm
start_keeper
for how in pause stop; do
  for who in producer consumer; do
    stand_still "$how" "$who"
  done
done

note "docker pause and SIGSTOP, each of producer and consumer, $standstill s: none taken for dead, nothing lost"
