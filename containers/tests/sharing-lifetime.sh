#!/usr/bin/env bash
# What becomes of shared memory when a container is paused, killed, stopped or restarted: who keeps what, and
# whether the doctor says so.
# shellcheck source=containers/matrix.sh
. "$(dirname "${BASH_SOURCE[0]}")/../matrix.sh"

new_volume paused 64m
new_volume killed 64m
new_volume emptied 64m
docker volume create "${LABELS[@]}" "$ID-disk" >/dev/null

# A producer in container a that waits for input, and so holds its seat: hold OPTIONS-A
hold() {
  words "$1"
  start "$ROW-a" -i "${WORDS[@]}" -- send "$RING"
  side b "$2"
  eventually 20 docker exec "$ID-$ROW-b" /podring info "$RING"
}

paused() {
  hold "-v @paused:/dev/shm:nocopy" "-v @paused:/dev/shm:nocopy"
  docker pause "$ID-$ROW-a" >/dev/null
  doctor b 0 tmpfs-volume ok "$RING"
  grep -q "is live,.*producer podring@" "$SCRATCH/$ROW-b.said" || die "taken for dead: $(cat "$SCRATCH/$ROW-b.said")"
  ask b send "$RING" --json
  expect "a second producer" "$CODE $(json kind <"$SCRATCH/$ROW-b.err")" "3 RoleTaken"
  docker unpause "$ID-$ROW-a" >/dev/null
  line tmpfs-volume tmpfs-volume "live" "RoleTaken"
}

killed() {
  hold "-v @killed:/dev/shm:nocopy" "-v @killed:/dev/shm:nocopy"
  docker kill -s KILL "$ID-$ROW-a" >/dev/null
  doctor b 0 tmpfs-volume ok "$RING"
  grep -q "is stale,.*nobody is attached" "$SCRATCH/$ROW-b.said" || die "taken for alive: $(cat "$SCRATCH/$ROW-b.said")"
  ask b send "$RING"
  expect "its successor" "$CODE" 0
  line tmpfs-volume tmpfs-volume "stale" "successor sends"
}

# The donor gets a new /dev/shm, those who joined keep the old one.
donor_restarted() {
  side a --ipc=shareable
  side b --ipc=container:%a
  diagnose docker-shm docker-shm same
  docker restart -t 0 "$ID-$ROW-a" >/dev/null
  diagnose docker-shm docker-shm not-joined
  grep -q "the first was restarted" "$SCRATCH/$ROW-b.said" || die "the restart is not named: $(cat "$SCRATCH/$ROW-b.said")"
  misses
  hidden
  # What the doctor names mends it.
  docker rm -f "$ID-$ROW-b" >/dev/null
  side b --ipc=container:%a
  diagnose docker-shm docker-shm same
  meets
  line docker-shm docker-shm "not-joined, then same" "not found, then met"
}

donor_stopped() {
  side a --ipc=shareable
  side b --ipc=container:%a
  docker kill "$ID-$ROW-a" >/dev/null
  # Those who joined go on.
  doctor b 0 docker-shm warn
  ask b create "$RING"
  expect "exit code of create" "$CODE" 0
  docker rm -f "$ID-$ROW-b" >/dev/null
  words --ipc=container:%a
  attempt_in_row "${WORDS[@]}" -- doctor
  expect "docker's exit code for who joins now" "$CODE" 125
  grep -q "not running" "$SCRATCH/$ROW-b.err" || die "docker said: $(cat "$SCRATCH/$ROW-b.err")"
  line - docker-shm - "docker: is not running"
}

# A volume of RAM is empty again when its last container has stopped ...
emptied() {
  local before
  side a "-v @emptied:/dev/shm:nocopy"
  ask a create "$RING"
  ask a doctor --json
  before=$(said a fingerprint)
  docker restart -t 0 "$ID-$ROW-a" >/dev/null
  doctor a 1 tmpfs-volume ok "$RING" --peer-fingerprint "$before"
  expect "cause" "$(said a cause)" two-volumes
  grep -q "emptied" "$SCRATCH/$ROW-a.said" || die "that it was emptied is not named: $(cat "$SCRATCH/$ROW-a.said")"
  ask a recv "$RING" --no-create --open-timeout 10ms --json
  expect "what a gets" "$CODE $(json kind <"$SCRATCH/$ROW-a.err")" "3 NotFound"
  line tmpfs-volume - "two-volumes (emptied)" "not found"
}

# ... one on disk is not.
kept() {
  side a "-v @disk:/dev/shm"
  ask a create "$RING"
  ask a doctor --json
  docker restart -t 0 "$ID-$ROW-a" >/dev/null
  doctor a 0 disk-volume warn "$RING" --peer-fingerprint "$(said a fingerprint)"
  expect "verdict on the ring" "$(verdict a ring)" ok
  grep -q "is stale" "$SCRATCH/$ROW-a.said" || die "not stale: $(cat "$SCRATCH/$ROW-a.said")"
  ask a rm --stale
  line disk-volume - "same memory, stale" "rm --stale"
}

# A side that is killed in the middle of a meeting leaves nothing that the next one stumbles over.
killed_in_the_meeting() {
  side a "-v @killed:/dev/shm:nocopy"
  side b "-v @killed:/dev/shm:nocopy"
  start "$ROW-c" -v "$ID-killed:/dev/shm:nocopy" -- doctor --with "$RING" --timeout 60s
  eventually 20 docker exec "$ID-$ROW-a" /podring info "$RING.doctor-2"
  docker kill -s KILL "$ID-$ROW-c" >/dev/null
  meets
  ask a info "$RING.doctor-1" --json
  expect "what is left" "$CODE $(said a kind)" "3 NotFound"
  line tmpfs-volume tmpfs-volume "same memory, met" "nothing left"
}

row "A paused" paused
row "A killed" killed
row "donor restarted" donor_restarted
row "donor stopped" donor_stopped
row "tmpfs volume, last container restarted" emptied
row "default volume, last container restarted" kept
row "killed in the middle of doctor --with" killed_in_the_meeting

finish "doctor's verdict after pause, kill, stop and restart"
