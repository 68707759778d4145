#!/usr/bin/env bash
# `make demo`: streams verified messages from one container to another, then bounces messages between two,
# and prints what the programs measured. Without a Docker engine: the same with two processes.
# Fails if a message is lost, duplicated, out of order or corrupt, and if either side fails.
# shellcheck source=containers/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

stream_for=5s
bounce_for=2s

# Two ways to run a side. `launch NAME [argument...]` starts it; `ended NAME` waits for it: its exit code is
# then in CODE, what it printed in $SCRATCH/NAME.out and NAME.err.
use_containers() {
  build_image "$ID"
  BUILT_IMAGE=$ID
  new_volume shm 256m
  launch() { start "$1" -v "$ID-shm:/dev/shm:nocopy" -- "${@:2}"; }
}

use_processes() {
  # A directory of its own, so that nobody else's rings are met.
  RINGS=$(mktemp -d "/dev/shm/$ID.XXXXXX") || die "cannot write to /dev/shm"
  declare -gA PROCESS
  launch() {
    timeout 60 "$PODRING" "${@:2}" --dir "$RINGS" >"$SCRATCH/$1.out" 2>"$SCRATCH/$1.err" &
    PROCESS[$1]=$!
    CHILDREN+=($!)
  }
  ended() {
    CODE=0
    wait "${PROCESS[$1]}" || CODE=$?
  }
}

# Waits for both sides and fails if either did.
both_ended() {
  local side failed=
  for side in "$@"; do
    ended "$side"
    [ "$CODE" = 0 ] || failed+=" $side (exit code $CODE)"
  done
  [ -z "$failed" ] || die "failed:$failed
$(cd "$SCRATCH" && tail -n 20 "${@/%/.out}" "${@/%/.err}")"
}

# A fact that a side printed: fact NAME KEY
fact() { json "$2" <"$SCRATCH/$1.out" || die "$1 printed no \"$2\": $(cat "$SCRATCH/$1.out")"; }

say "building the static binary ..."
build_binary
if docker_usable; then
  use_containers
  say "two containers: no network, no capabilities, not root, private namespaces; one RAM volume at /dev/shm"
else
  use_processes
  say "no Docker engine ($NO_DOCKER): two processes instead of two containers"
fi

say "streaming verified messages for $stream_for ..."
launch consumer verify consumer stream --json
launch producer verify producer stream --duration "$stream_for" --json
both_ended producer consumer

say "bouncing 64-byte messages for $bounce_for ..."
launch pong pong bounce --json
launch ping ping bounce --duration "$bounce_for" --size 64 --json
both_ended ping pong

# What the programs counted and measured; nothing of it is computed here.
intact <"$SCRATCH/consumer.out"
[ "$(fact producer messages)" = "$(fact consumer messages)" ] ||
  die "sent $(fact producer messages), received $(fact consumer messages)"

# A figure as people read it: millions NUMBER, micros NANOSECONDS
millions() { awk -v number="$1" 'BEGIN { printf "%.2f", number / 1e6 }'; }
micros() { awk -v nanos="$1" 'BEGIN { printf "%.2f", nanos / 1e3 }'; }

printf 'stream      %s million messages/s, %.2f GB/s: %s messages of 32 to 1056 bytes, each checked\n' \
  "$(millions "$(fact consumer messages_per_s)")" "$(fact consumer gigabytes_per_s)" "$(fact consumer messages)"
printf 'round trip  p50 %s  p90 %s  p99 %s  p99.9 %s  max %s us (%s of them, 64 bytes)\n' \
  "$(micros "$(fact ping p50_ns)")" "$(micros "$(fact ping p90_ns)")" "$(micros "$(fact ping p99_ns)")" \
  "$(micros "$(fact ping p99_9_ns)")" "$(micros "$(fact ping max_ns)")" "$(fact ping n)"
printf '%s lost, %s duplicated, %s corrupt\n' \
  "$(fact consumer lost)" "$(fact consumer duplicated)" "$(fact consumer corrupt)"
