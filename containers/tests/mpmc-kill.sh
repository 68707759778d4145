#!/usr/bin/env bash
# Four producers and four consumers, each in a container of its own, on one ring. Every 200 ms `docker kill -s KILL` hits
# a random one, and it is started again. Every message whose send returned arrives, whole and, from each producer to each
# consumer, in order; one comes again only marked as redelivered, at most once for each consumer killed; and whoever has
# somebody alive on the other side goes on within a second.
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
longest_ms=0 stood=
# Whether a participant has stood still although somebody on the other side was alive all the while.
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
    if [ "$waited" -gt "$longest_ms" ]; then longest_ms=$waited stood="the $role in seat $seat"; fi
    [ "$waited" -le "$patience_ms" ] || die "the $role in seat $seat has stood still for $waited ms: $FACTS"
  done <<<"$SEATS"
}

# Kills one of those that run, and has it started again meanwhile.
declare -A starting=()
kills=0 consumer_kills=0
kill_one() {
  local name
  name=${sides[$((RANDOM % ${#sides[@]}))]}
  if [ -n "${starting[$name]-}" ]; then
    # Still being started again: nothing to kill.
    if kill -0 "${starting[$name]}" 2>/dev/null; then return; fi
    wait "${starting[$name]}" || die "$name could not be started again"
  fi
  docker kill -s KILL "$ID-$name" >/dev/null || die "$name has ended by itself: $(docker logs "$ID-$name" 2>&1)"
  kills=$((kills + 1))
  case $name in c*) consumer_kills=$((consumer_kills + 1)) ;; esac
  timeout -k 1 "$((restart_ms / 1000))" docker start "$ID-$name" >/dev/null &
  starting[$name]=$!
  CHILDREN+=("$!")
}

look
while [ "$SENT" -lt "$messages" ] || [ "$kills" -lt "$least_kills" ]; do
  next=$((ASKED + every_ms))
  kill_one
  look
  judge
  [ "$((ASKED - began))" -lt "$limit_ms" ] || die "only $SENT messages in $((ASKED - began)) ms, $kills kills: $FACTS"
  now=$(now_ms)
  if [ "$now" -lt "$next" ]; then sleep "0.$(printf '%03d' "$((next - now))")"; fi
done
took=$(($(now_ms) - began))

for name in "${!starting[@]}"; do wait "${starting[$name]}" || die "$name could not be started again"; done
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
remains=$(in_keeper ls --json | json_all name | sort -u | tr '\n' ' ')
case " $remains" in *" stream "*) ;; *) die "the ring is gone: $remains" ;; esac

note "$kills kills in $((took / 1000)) s, $(json messages <<<"$account") messages in $(json runs <<<"$account") runs:" \
  "0 lost, 0 duplicated, 0 reordered, 0 corrupt, $again redelivered; nobody stood still for more than" \
  "$longest_ms ms${stood:+ ($stood)}; seed $seed"
