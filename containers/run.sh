#!/usr/bin/env bash
# compose.yaml in plain docker commands, to copy from: a verified stream from one container to the other.
# Needs the image: `make image` builds it as "podring"; PODRING_IMAGE names another.
set -euo pipefail

image=${PODRING_IMAGE:-podring}
id="podring-run-$$-$RANDOM"

# RAM at /dev/shm is the one thing they share: no host namespace, no network, no capability, no root.
# nocopy: Docker would otherwise give the volume, while it is empty, the mode of the image's own /dev/shm.
hardened=(--network none --cap-drop ALL --read-only --security-opt no-new-privileges -v "$id:/dev/shm:nocopy")

# shellcheck disable=SC2317 # called by the trap
clean_up() {
  docker rm -f "$id-producer" "$id-consumer" >/dev/null 2>&1 || true
  docker volume rm -f "$id" >/dev/null
}
trap clean_up EXIT

docker volume create --driver local --opt type=tmpfs --opt device=tmpfs --opt o=size=256m,mode=1777 "$id" >/dev/null
docker run -d --name "$id-producer" "${hardened[@]}" "$image" verify producer demo --count 1000000 >/dev/null
docker run -d --name "$id-consumer" "${hardened[@]}" "$image" verify consumer demo >/dev/null

# Both exit codes count: wait for both before judging either.
produced=$(docker wait "$id-producer")
consumed=$(docker wait "$id-consumer")
docker logs "$id-producer"
docker logs "$id-consumer"
[ "$produced" = 0 ] && [ "$consumed" = 0 ]
