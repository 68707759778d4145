#!/usr/bin/env bash
# A gigabyte of random bytes, piped through `podring send` in one container and `podring recv` in another,
# has the same SHA-256. Both are not root, PID 1 in namespaces of their own, and stripped of privileges.
# Then the same from file to file, without Docker's pipes in between.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

bytes=$((1 << 30))

use_shm
# The image has no shell that could redirect a file, so the bytes go through `docker run -i`, with logging
# off: they would all be written to Docker's log otherwise. The pipes hold them back until we have looked.
mkfifo "$SCRATCH/input" "$SCRATCH/output"
head -c "$bytes" /dev/urandom >"$SCRATCH/random"
sent_sum=$(sha256sum <"$SCRATCH/random")

sha256sum <"$SCRATCH/output" >"$SCRATCH/received.sum" &
sum=$!
run_hardened --name "$ID-consumer" --log-driver none "${SHM[@]}" -- \
  recv stream --capacity 16M --json >"$SCRATCH/output" 2>"$SCRATCH/consumer.err" &
consumer=$!
run_hardened --name "$ID-producer" --log-driver none -i "${SHM[@]}" -- \
  send stream --capacity 16M --json <"$SCRATCH/input" 2>"$SCRATCH/producer.err" &
producer=$!
CHILDREN+=("$sum" "$consumer" "$producer")
exec 4>"$SCRATCH/input"

running() { [ "$(docker inspect --format '{{.State.Running}}' "$ID-$1" 2>/dev/null)" = true ]; }
eventually 30 running producer
eventually 30 running consumer

# Each container as Docker was asked to make it ...
for side in producer consumer; do
  made=$(docker inspect "$ID-$side" --format '{{.Config.User}} pid={{.HostConfig.PidMode}} ipc={{.HostConfig.IpcMode}}
 net={{.HostConfig.NetworkMode}} privileged={{.HostConfig.Privileged}} readonly={{.HostConfig.ReadonlyRootfs}}
 drop={{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}' | tr -d '\n')
  [ "$made" = "1000:1000 pid= ipc=private net=none privileged=false readonly=true drop=[ALL] [no-new-privileges]" ] ||
    die "$side is not as private as it should be: $made"
done

# ... and as the kernel runs it, where the engine is on this machine and we may look.
kernel_says() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
here=no looked="by docker inspect"
pids=()
for side in producer consumer; do
  pids+=("$(docker inspect --format '{{.State.Pid}}' "$ID-$side")")
done
if grep -q "$(docker inspect --format '{{.Id}}' "$ID-producer")" "/proc/${pids[0]}/cgroup" 2>/dev/null; then
  here=yes
  for pid in "${pids[@]}"; do
    facts="$(kernel_says "$pid" Uid | cut -f 1) $(kernel_says "$pid" NSpid | awk '{ print $NF }') $(kernel_says "$pid" CapEff)"
    [ "$facts" = "1000 1 0000000000000000" ] || die "uid, pid in its namespace, capabilities: $facts"
  done
fi
if [ "$here" = yes ] && readlink "/proc/${pids[0]}/ns/pid" >/dev/null; then # only root may
  for kind in pid ipc net mnt; do
    different=$(readlink "/proc/self/ns/$kind" "/proc/${pids[0]}/ns/$kind" "/proc/${pids[1]}/ns/$kind" | sort -u | wc -l)
    [ "$different" = 3 ] || die "producer, consumer and we are in $different $kind namespaces, not 3"
  done
  looked="by /proc"
fi

# Now the bytes.
began=$(now_ms)
cat "$SCRATCH/random" >&4
exec 4>&-
wait "$producer" || die "producer: exit code $?: $(cat "$SCRATCH/producer.err")"
wait "$consumer" || die "consumer: exit code $?: $(cat "$SCRATCH/consumer.err")"
wait "$sum"
took=$(($(now_ms) - began))

[ "$(json bytes <"$SCRATCH/producer.err") $(json bytes <"$SCRATCH/consumer.err")" = "$bytes $bytes" ] ||
  die "not all bytes counted: $(cat "$SCRATCH"/*.err)"
[ "$(cat "$SCRATCH/received.sum")" = "$sent_sum" ] || die "sent $sent_sum, received $(cat "$SCRATCH/received.sum")"

piped=$(rate "$bytes" "$took")

# From file to file: a mounted file is no file of ours if the engine runs on another machine.
files="not from file to file (the engine does not see our files)"
if [ "$here" = yes ]; then
  install -d -m 0777 "$SCRATCH/received"
  start reader "${SHM[@]}" -v "$SCRATCH/received:/received" -- recv files --capacity 16M --output /received/file --json
  start writer "${SHM[@]}" -v "$SCRATCH/random:/random:ro" -- send files --capacity 16M --input /random --json
  for side in writer reader; do
    ended "$side" 120
    [ "$CODE" = 0 ] || die "$side: exit code $CODE: $(cat "$SCRATCH/$side".*)"
  done
  received=$(sha256sum <"$SCRATCH/received/file")
  [ "$received" = "$sent_sum" ] || die "from file to file: sent $sent_sum, received $received"
  files="$(cat "$SCRATCH"/reader.* | json gigabytes_per_s | cut -c 1-4) GB/s from file to file"
fi

note "1 GiB, same SHA-256: $files, $piped GB/s through docker run's pipes; both not root, PID 1, private $looked"
