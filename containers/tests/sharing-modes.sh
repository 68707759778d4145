#!/usr/bin/env bash
# Every way in which two containers can share /dev/shm, or believe they do: the doctor must name it on both
# sides and say whether the memory is the same and why not; a ring must work, or be missed with the right error.
# shellcheck source=containers/matrix.sh
. "$(dirname "${BASH_SOURCE[0]}")/../matrix.sh"

# What the containers mount: volumes, a directory on disk and one in RAM.
docker volume create "${LABELS[@]}" "$ID-disk" >/dev/null
docker volume create "${LABELS[@]}" "$ID-disk2" >/dev/null
new_volume ram 64m
new_volume ram2 64m
docker volume create "${LABELS[@]}" --driver local --opt type=tmpfs --opt device=tmpfs --opt o=mode=1777 "$ID-unlimited" >/dev/null
install -d -m 1777 "$SCRATCH/bound"
# The host's /dev/shm, in a directory of this run's own.
RINGS=$(mktemp -d "/dev/shm/$ID.XXXXXX")
chmod 1777 "$RINGS"

ram="-v @ram:/dev/shm:nocopy"

unhardened() {
  HARDENED=(--network none)
  "$@"
}

# Docker's own /dev/shm looks the same whether it is joined or not, until somebody else takes part in a ring there.
joined_seen() {
  side a --ipc=shareable
  side b --ipc=container:%a
  doctor b 0 docker-shm warn
  docker exec -d "$ID-$ROW-a" /podring recv "$RING-held"
  eventually 20 docker exec "$ID-$ROW-b" /podring info "$RING-held"
  doctor b 0 docker-shm ok "$RING-held"
  expect "verdict on the ring" "$(verdict b ring)" ok
  grep -q "consumer podring@$(docker inspect --format '{{.Config.Hostname}}' "$ID-$ROW-a")" "$SCRATCH/$ROW-b.said" ||
    die "the holder is not named: $(cat "$SCRATCH/$ROW-b.said")"
  line docker-shm docker-shm "joined, neighbour seen" "held ring seen"
}

# The size is the donor's; the option on the other side changes nothing.
donor_size() {
  side a "--ipc=shareable --shm-size=32m"
  side b "--ipc=container:%a --shm-size=512m"
  doctor b 1 docker-shm warn --size 32M
  expect "verdict on room" "$(verdict b room)" fail
  expect "size" "$(said b total_bytes)" $((32 << 20))
  doctor b 0 docker-shm warn --size 16M
  meets
  streams
  line docker-shm docker-shm "32 MiB, not 512" "2000 messages intact"
}

host_shared() {
  local here
  shared host host --ipc=host --ipc=host --dir "$RINGS"
  here=$("$PODRING" --dir "$RINGS" doctor --json) || die "the doctor outside of containers: $here"
  expect "mode on the host" "$(json mode <<<"$here")" host
  ask a doctor --json --dir "$RINGS" --peer-fingerprint "$(json fingerprint <<<"$here")"
  expect "comparison with the host" "$(verdict a comparison)" ok
}

none_at_all() {
  side a --ipc=none
  side b ""
  diagnose absent docker-shm absent
  misses
  ask a recv "$RING" --no-create --json
  expect "what a gets" "$CODE $(json kind <"$SCRATCH/$ROW-a.err")" "3 NoDirectory"
  line absent docker-shm absent "no directory"
}

# A directory of the image, in the container's own layer. The image has none that this user may write: /dev/shm
# of the image is hidden by Docker's. So: root, and a root file system that is not read-only.
layer() {
  HARDENED=(--network none --user 0:0)
  apart container-layer container-layer container-layer "" "" --dir /
}

read_only() {
  side a "$ram"
  side b "-v @ram:/dev/shm:ro"
  ask a create "$RING"
  doctor b 1 tmpfs-volume ok
  expect "verdict on access" "$(verdict b access)" fail
  expect "read-only" "$(said b read_only)" true
  ask b recv "$RING" --json
  expect "what b gets" "$CODE $(json kind <"$SCRATCH/$ROW-b.err")" "1 ReadOnly"
  ask b info "$RING"
  expect "looking at it" "$CODE" 0
  line tmpfs-volume tmpfs-volume "access: fail" "ReadOnly; info works"
}

# The remedy that the doctor names is one.
too_small() {
  local remedy
  side a ""
  doctor a 1 docker-shm warn --size 128M
  expect "verdict on room" "$(verdict a room)" fail
  remedy=$(grep -o -m 1 -e '--shm-size=[0-9]*m' "$SCRATCH/$ROW-a.said" | sed -n 1p)
  ask a create "$RING" --capacity 128M --json
  expect "what a gets" "$CODE $(said a kind)" "1 NoSpace"
  side b "$remedy"
  doctor b 0 docker-shm warn --size 128M
  ask b create "$RING" --capacity 128M
  expect "with $remedy" "$CODE" 0
  line docker-shm docker-shm "room: fail" "NoSpace; $remedy"
}

too_little_memory() {
  local remedy
  side a "$ram --memory=32m"
  doctor a 1 tmpfs-volume ok --size 32M
  expect "verdict on memory" "$(verdict a memory)" fail
  remedy=$(grep -o -m 1 -e '--memory=[0-9]*m' "$SCRATCH/$ROW-a.said" | sed -n 1p)
  ask a create "$RING" --capacity 32M --json
  expect "what a gets" "$CODE $(said a kind)" "1 MemoryLimit"
  side b "$ram $remedy"
  doctor b 0 tmpfs-volume ok --size 32M
  ask b create "$RING" --capacity 32M
  expect "with $remedy" "$CODE" 0
  ask b rm "$RING"
  line tmpfs-volume tmpfs-volume "memory: fail" "MemoryLimit; $remedy"
}

row "no option" apart docker-shm docker-shm not-joined "" ""
row "--ipc=private" apart docker-shm docker-shm not-joined --ipc=private --ipc=private
row "--ipc=shareable on both" apart docker-shm docker-shm not-joined --ipc=shareable --ipc=shareable
row "--ipc=shareable, --ipc=container:A" shared docker-shm docker-shm --ipc=shareable --ipc=container:%a
row "the same, somebody in a ring" joined_seen
row "--ipc=container:A, A private" no_start "non-shareable IPC" "" --ipc=container:%a
row "--ipc=container:A, A with a volume" no_start "non-shareable IPC" "--ipc=shareable $ram" --ipc=container:%a
row "--ipc=container:A, --shm-size on B" donor_size
row "one tmpfs volume" shared tmpfs-volume tmpfs-volume "$ram" "$ram"
row "one tmpfs volume, copied mode" shared tmpfs-volume tmpfs-volume "-v @ram:/dev/shm" "-v @ram:/dev/shm"
row "one tmpfs volume, nothing hardened" unhardened shared tmpfs-volume tmpfs-volume "$ram" "$ram"
row "one tmpfs volume without size=" shared host-sized host-sized "-v @unlimited:/dev/shm" "-v @unlimited:/dev/shm"
row "one tmpfs volume at /rings" shared tmpfs-volume tmpfs-volume "-v @ram:/rings:nocopy" "-v @ram:/rings:nocopy" --dir /rings
row "one tmpfs volume, --ipc=none" shared tmpfs-volume tmpfs-volume "--ipc=none $ram" "--ipc=none $ram"
row "one tmpfs volume, --pid=container:A" shared tmpfs-volume tmpfs-volume "$ram" "--pid=container:%a $ram"
row "--volumes-from A" shared tmpfs-volume tmpfs-volume "$ram" "--volumes-from %a"
row "--volumes-from A, A without a volume" apart docker-shm docker-shm not-joined --ipc=shareable "--volumes-from %a"
row "two tmpfs volumes" apart tmpfs-volume tmpfs-volume two-volumes "$ram" "-v @ram2:/dev/shm:nocopy"
row "a volume on one side only" apart tmpfs-volume docker-shm different-modes "$ram" ""
row "one default volume, on disk" shared disk-volume disk-volume "-v @disk:/dev/shm" "-v @disk:/dev/shm"
row "two default volumes" apart disk-volume disk-volume two-volumes "-v @disk:/dev/shm" "-v @disk2:/dev/shm"
row "one directory on disk, bound" shared disk-directory disk-directory "-v $SCRATCH/bound:/dev/shm" "-v $SCRATCH/bound:/dev/shm"
row "the host's /dev/shm, bound" shared host-sized host-sized "-v $RINGS:/dev/shm" "-v $RINGS:/dev/shm"
row "--ipc=host" host_shared
row "--ipc=host, a volume on A only" apart tmpfs-volume host volume-wins "--ipc=host $ram" --ipc=host
row "--tmpfs /dev/shm" apart private-tmpfs private-tmpfs private-tmpfs "--tmpfs /dev/shm:size=16m" "--tmpfs /dev/shm:size=16m"
row "--mount type=tmpfs" apart private-tmpfs private-tmpfs private-tmpfs \
  "--mount type=tmpfs,target=/dev/shm" "--mount type=tmpfs,target=/dev/shm"
row "--ipc=none" none_at_all
row "nothing mounted at --dir" layer
row "--pid=host" apart docker-shm docker-shm not-joined --pid=host --pid=host
row "--pid=container:A" apart docker-shm docker-shm not-joined "" --pid=container:%a
row "a volume read-only in B" read_only
row "a ring too large for /dev/shm" too_small
row "a ring beyond --memory" too_little_memory

finish "doctor's verdict and a ring in every way of sharing"
