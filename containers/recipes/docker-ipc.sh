#!/usr/bin/env bash
# Plain docker, without a volume: the consumer joins the producer's IPC namespace, and with it its /dev/shm.
# Choose it for two containers of which the first outlives the second; else a tmpfs volume: ../run.sh.
# Needs the image: `make image` builds it as "podring"; PODRING_IMAGE names another.
set -euo pipefail

image=${PODRING_IMAGE:-podring}
id="podring-ipc-$$-$RANDOM"
hardened=(--network none --cap-drop ALL --read-only --security-opt no-new-privileges)

# shellcheck disable=SC2317 # called by the trap
clean_up() { docker rm -f "$id-producer" "$id-consumer" >/dev/null 2>&1 || true; }
trap clean_up EXIT

# The size is that of the container that is joined; --shm-size on the other is ignored without a word.
docker run -d --name "$id-producer" "${hardened[@]}" --ipc shareable --shm-size 256m "$image" \
  verify producer demo --count 1000000 >/dev/null
docker run -d --name "$id-consumer" "${hardened[@]}" --ipc "container:$id-producer" "$image" \
  verify consumer demo >/dev/null

# Both exit codes count: wait for both before judging either.
produced=$(docker wait "$id-producer")
consumed=$(docker wait "$id-consumer")
docker logs "$id-producer"
docker logs "$id-consumer"
[ "$produced" = 0 ] && [ "$consumed" = 0 ]
