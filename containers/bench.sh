#!/usr/bin/env bash
# `make bench-containers`: the same program between two processes of one container and between two containers, in
# turn and in one table; then two containers over a volume in RAM and over one on disk, while the disk is busy.
# shellcheck source=containers/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

docker_usable || die "measuring containers needs a Docker engine, and $NO_DOCKER"
say "building the static binary and the image ..."
build_binary
BUILT_IMAGE=$ID
build_image "$ID"

# Two containers that share a volume at /dev/shm: measure NAME VOLUME [docker run option...] -- [argument...]
# The one serves, the other measures; what that printed is in $SCRATCH/NAME.out.
measure() {
  local name=$1 volume=$2 options=()
  shift 2
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  start "$name-partner" -v "$volume:/dev/shm:nocopy" "${options[@]}" -- bench --serve
  start "$name" -v "$volume:/dev/shm:nocopy" "${options[@]}" -- bench "$@"
  ended "$name" 240
  [ "$CODE" = 0 ] || die "exit code $CODE: $(cat "$SCRATCH/$name.out" "$SCRATCH/$name.err")"
  ended "$name-partner"
  [ "$CODE" = 0 ] || die "the partner: exit code $CODE: $(cat "$SCRATCH/$name-partner.err")"
}

new_volume ram 256m
say "two processes of one container, and two containers ..."
measure both "$ID-ram" -- latency throughput --size 64 --subject podring,podring-typed --where process,container --runs 5
cat "$SCRATCH/both.out"

# A volume without type=tmpfs is a directory on disk. It belongs to root, so root measures in both.
docker volume create "${LABELS[@]}" "$ID-disk" >/dev/null
disk=$(docker volume inspect --format '{{.Mountpoint}}' "$ID-disk")
if ! [ -w "$disk" ]; then
  say "skipped: a busy disk: $disk cannot be written from here"
  exit 0
fi

# Keeps the disk of the volumes busy: 64 MiB written and synced, again and again.
keep_busy() {
  while :; do
    dd if=/dev/zero of="$disk/load" bs=1M count=64 conv=fsync status=none
  done
}
keep_busy &
CHILDREN+=($!)

case_of_load=(latency throughput --size 64 --subject podring --wait adaptive --batch 1 --where container --duration 2s --runs 3)
say "a volume in RAM beside one on disk, while the disk is written to ..."
measure loaded-ram "$ID-ram" --user 0 -- "${case_of_load[@]}" --format csv
measure loaded-disk "$ID-disk" --user 0 -- "${case_of_load[@]}" --format csv

# column FILE MODE NAME: the field of that name in the line of that mode.
column() {
  awk -F, -v mode="$2" -v name="$3" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
    $2 == mode { print $at }' "$1"
}

echo
echo "While the disk is written to (two containers, 64 bytes, adaptive)"
printf '%-18s %12s %12s %12s %14s %12s\n' "volume" "p50 ns" "p99 ns" "p99.9 ns" "longest ns" "M msg/s"
for volume in ram disk; do
  file="$SCRATCH/loaded-$volume.out"
  rate=$(column "$file" throughput msgs_per_s)
  printf '%-18s %12.0f %12.0f %12.0f %14.0f %12s\n' "$volume" "$(column "$file" latency p50_ns)" \
    "$(column "$file" latency p99_ns)" "$(column "$file" latency p99_9_ns)" "$(column "$file" latency max_ns)" \
    "$(awk -v rate="$rate" 'BEGIN { printf "%.2f", rate / 1e6 }')"
done
