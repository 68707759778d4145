#!/usr/bin/env bash
# Four producers and four consumers, each in a container of its own, on one ring. Every 200 ms `docker kill -s KILL` hits
# a random one of those that run, and it is started again. Every message whose send returned arrives, whole and, from each
# producer to each consumer, in order; one comes again only marked as redelivered, at most once for each consumer killed;
# and whoever has somebody alive on the other side goes on within a second, by its own clock.
#
#   PODRING_MESSAGES=10000000   how many messages, at least
#   PODRING_MPMC_KILLS=100      and how many kills
#   PODRING_SEED=17             repeats the order of the kills
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

messages=${PODRING_MESSAGES:-10000000}
least_kills=${PODRING_MPMC_KILLS:-100}
seed=${PODRING_SEED:-$RANDOM}
every_ms=200
# A participant that has somebody on the other side alive for so long has sent or received something.
patience_ms=1000
# However slow Docker is, the messages are through, or a killed one is back, by then.
limit_ms=$((500 * 1000))
restart_ms=60000

RANDOM=$seed
use_shm
# The accounts, which must outlive every kill: a byte for each message, and nobody is slowed down.
new_volume journal 2g
SHM+=(-v "$ID-journal:/journal:nocopy")

sides=(p0 p1 p2 p3 c0 c1 c2 c3)
# Fewer CPU shares than Docker itself, which has to kill them.
side() { start "$1" "${SHM[@]}" --cpu-shares 64 -- verify "$2" stream --journal /journal "${@:3}"; }

start_keeper
in_keeper create stream --mpmc --slots 1024 --largest 496
for name in "${sides[@]}"; do
  case $name in
    p*) side "$name" producer --max 464 --keep-open ;;
    c*) side "$name" consumer ;;
  esac
done
began=$(now_ms)

# Looks at the ring: FACTS is what podring says, ASKED when it was asked, SENT how many messages were claimed, and each
# line of SEATS a living participant: seat role since messages.
look() {
  local slots capacity
  ASKED=$(now_ms)
  FACTS=$(in_keeper info stream --json)
  slots=$(json slots <<<"$FACTS")
  capacity=$(json capacity_bytes <<<"$FACTS")
  SENT=$(($(json written_bytes <<<"$FACTS") / (capacity / slots)))
  SEATS=$(tr -d '\n' <<<"$FACTS" | grep -o '"seats":.*' | sed 's/"stats"[^{]*{\([^}]*\)}/\1/g; s/},{/\n/g' |
    grep '"live":true' |
    awk '{ split("", f); n = split($0, parts, /[][{},]/)
           for (i = 1; i <= n; i++) { split(parts[i], kv, /":/); key = kv[1]; gsub(/"/, "", key); f[key] = kv[2] }
           gsub(/"/, "", f["role"]); print f["seat"], f["role"], f["since_unix_ns"], f["messages"] }')
}

declare -A seen=() since=()
# Whether a participant has stood still although somebody on the other side was alive all the while. Seen from here that
# shows only if it lasts; what is shorter they note themselves, unless they hang.
judge() {
  local seat role began count key now waited have=''
  case $SEATS in *producer*) have+=p ;; esac
  case $SEATS in *consumer*) have+=c ;; esac
  now=$(now_ms)
  while read -r seat role began count; do
    [ -n "$seat" ] || continue
    key=$seat.$began
    # Counted from the end of the look that saw the last change to the beginning of this one.
    if [ "${seen[$key]-}" != "$count" ] || { [ "$role" = producer ] && [ "${have#*c}" = "$have" ]; } ||
      { [ "$role" = consumer ] && [ "${have#*p}" = "$have" ]; }; then
      seen[$key]=$count since[$key]=$now
      continue
    fi
    waited=$((ASKED - since[$key]))
    [ "$waited" -le "$patience_ms" ] || die "the $role in seat $seat has stood still for $waited ms: $FACTS"
  done <<<"$SEATS"
}

# What the killing says, each in a file: who runs, the time and name of each kill, why it gave up, and whether to stop.
up=$SCRATCH/up log=$SCRATCH/kills gave_up=$SCRATCH/gave-up stop=$SCRATCH/stop
mkdir "$up"
for name in "${sides[@]}"; do : >"$up/$name"; done
: >"$log"

# Kills one and starts it again. Docker takes its time for either, and nobody waits for it.
hit() {
  local said
  said=$(docker kill -s KILL "$ID-$1" 2>&1) || {
    echo "$1 has ended by itself: $said $(docker logs "$ID-$1" 2>&1)" >>"$gave_up"
    return
  }
  echo "$(now_ms) $1" >>"$log"
  said=$(timeout -k 1 "$((restart_ms / 1000))" docker start "$ID-$1" 2>&1) || {
    echo "$1 could not be started again: $said" >>"$gave_up"
    return
  }
  : >"$up/$1"
}

# Hits one of those that run every so often, until told to stop.
kill_on_schedule() {
  local next name early
  RANDOM=$seed # a subshell would begin with another
  next=$(now_ms)
  until [ -e "$stop" ] || [ -e "$gave_up" ]; do
    name=${sides[$((RANDOM % ${#sides[@]}))]}
    if [ ! -e "$up/$name" ]; then
      # Being started again: another one, at once unless there is none.
      [ -n "$(ls "$up")" ] || sleep 0.01
      continue
    fi
    rm "$up/$name"
    hit "$name" &
    next=$((next + every_ms))
    early=$((next - $(now_ms)))
    # Where the machine is too slow, the schedule begins anew: two at once are not two on time.
    if [ "$early" -gt 0 ]; then sleep "0.$(printf '%03d' "$early")"; else next=$(now_ms); fi
  done
  wait
}

kill_on_schedule &
killer=$!
CHILDREN+=("$killer")
while
  look
  judge
  kills=$(wc -l <"$log")
  [ "$SENT" -lt "$messages" ] || [ "$kills" -lt "$least_kills" ]
do
  [ ! -e "$gave_up" ] || die "$(cat "$gave_up")"
  [ "$((ASKED - began))" -lt "$limit_ms" ] || die "only $SENT messages in $((ASKED - began)) ms, $kills kills: $FACTS"
  sleep 0.7 # looking takes the time of killing
done
: >"$stop"
wait "$killer"
[ ! -e "$gave_up" ] || die "$(cat "$gave_up")"
took=$(($(now_ms) - began))
kills=$(wc -l <"$log")
consumer_kills=$(grep -c ' c' "$log")
# From one kill to the next, each when Docker said that it was done: the median, and the mean.
read -r median_ms mean_ms < <(sort -n "$log" |
  awk 'NR == 1 { first = $1 } NR > 1 { print $1 - last, int(($1 - first) / (NR - 1)) } { last = $1 }' |
  awk '{ print $1; mean = $2 } END { print "mean", mean }' | sort -n |
  awk '$1 == "mean" { mean = $2; next } { all[++n] = $1 } END { print all[int((n + 1) / 2)], mean }')

# The end: the producers stop where they are, a last one closes the stream, the consumers drain it.
for name in p0 p1 p2 p3; do docker kill -s TERM "$ID-$name" >/dev/null; done
for name in p0 p1 p2 p3; do
  ended "$name"
  # One that was just being started may not have listened yet.
  [ "$CODE" = 0 ] || [ "$CODE" = 143 ] || die "$name: exit code $CODE: $(cat "$SCRATCH/$name".*)"
done
side last producer --max 464 --count 1000
for name in last c0 c1 c2 c3; do
  ended "$name"
  [ "$CODE" = 0 ] || die "$name: exit code $CODE: $(cat "$SCRATCH/$name".*)"
done

account=$(in_keeper verify account --journal /journal --json) || die "the accounts do not match: $account"
intact <<<"$account"
again=$(json redelivered <<<"$account")
[ "$again" -le "$consumer_kills" ] || die "$again redelivered by $consumer_kills killed consumers: $account"
stood_ms=$(json longest_wait_ms <<<"$account")
stood_ms=${stood_ms%.*}
[ "$stood_ms" -le "$patience_ms" ] || die "somebody stood still for $stood_ms ms: $account"
remains=$(in_keeper ls --json | json_all name | sort -u | tr '\n' ' ')
case " $remains" in *" stream "*) ;; *) die "the ring is gone: $remains" ;; esac

note "$kills kills in $((took / 1000)) s, one to the next $median_ms ms (median; mean $mean_ms, wanted $every_ms," \
  "$(nproc) CPUs), $(json messages <<<"$account") messages in $(json runs <<<"$account") runs: 0 lost, 0 duplicated, 0 reordered," \
  "0 corrupt, $again redelivered; nobody waited longer than $stood_ms ms for somebody alive, by its own clock; seed $seed"
