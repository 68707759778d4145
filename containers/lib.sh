# shellcheck shell=bash disable=SC2034 # what it sets is used by the scripts that source it
# What the scripts of this folder share. To be sourced: it sets strict mode, a name for everything
# this run makes, and a trap that takes it all away again however the run ends.

set -Eeuo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Runs beside each other must never meet: containers, volumes, images and rings all carry this name.
ID="podring-$$-$(date +%s)-$RANDOM"

# What this run makes in Docker is found again by these.
LABELS=(--label "podring.run=$ID" ${PODRING_SUITE:+--label "podring.suite=$PODRING_SUITE"})

# No privilege that a ring does not need. PID and IPC namespaces are private by default.
HARDENED=(--network none --cap-drop ALL --read-only --security-opt no-new-privileges)

# Where tests and demo put files.
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/$ID.XXXXXX")

# What clean_up takes away besides, if set.
CHILDREN=()  # processes started in the background here
BUILT_IMAGE= # the image, if this run built it
RINGS=       # a directory of rings outside of containers

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

clean_up() {
  local code=$? left=() child
  trap - EXIT ERR
  set +e
  # What only the script itself knows how to take away.
  if declare -F tidy >/dev/null; then tidy; fi
  for child in "${CHILDREN[@]}"; do
    kill "$child" 2>/dev/null && wait "$child"
  done
  if command -v docker >/dev/null; then
    mapfile -t left < <(docker ps -aq --filter "label=podring.run=$ID" 2>/dev/null)
    [ "${#left[@]}" = 0 ] || docker rm -f "${left[@]}" >/dev/null
    mapfile -t left < <(docker volume ls -q --filter "label=podring.run=$ID" 2>/dev/null)
    [ "${#left[@]}" = 0 ] || docker volume rm -f "${left[@]}" >/dev/null
    [ -z "$BUILT_IMAGE" ] || docker rmi -f "$BUILT_IMAGE" >/dev/null
  fi
  rm -rf "$SCRATCH" ${RINGS:+"$RINGS"}
  exit "$code"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'say "${BASH_SOURCE[0]##*/}:$LINENO: failed: $BASH_COMMAND"' ERR

# --- Docker ------------------------------------------------------------------------------------------

# Is there an engine to talk to? If not, the reason is in NO_DOCKER.
NO_DOCKER=
docker_usable() {
  if [ "${PODRING_NO_DOCKER:-0}" = 1 ]; then
    NO_DOCKER="PODRING_NO_DOCKER=1"
  elif ! command -v docker >/dev/null; then
    NO_DOCKER="there is no docker command"
  elif ! timeout 20 docker info >"$SCRATCH/info" 2>&1; then
    NO_DOCKER="docker info fails: $(grep -i -m 1 'error\|cannot\|denied' "$SCRATCH/info" || echo 'no answer')"
  else
    return 0
  fi
  return 1
}

# RAM that containers share: new_volume NAME SIZE; its full name is $ID-NAME.
new_volume() {
  docker volume create "${LABELS[@]}" --driver local --opt type=tmpfs --opt device=tmpfs \
    --opt "o=size=$2,mode=1777" "$ID-$1" >/dev/null
}

# run_hardened [docker run option...] -- [podring argument...]
run_hardened() {
  local options=()
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  timeout --foreground 300 docker run "${LABELS[@]}" "${HARDENED[@]}" "${options[@]}" "$PODRING_IMAGE" "$@"
}

# The same in the background: start NAME [docker run option...] -- [podring argument...]
start() {
  local name=$1
  shift
  run_hardened -d --name "$ID-$name" "$@" >/dev/null
}

# Waits for a container to end, within a time: ended NAME [SECONDS]
# Its exit code is then in CODE, what it printed in $SCRATCH/NAME.out and NAME.err.
ended() {
  CODE=$(timeout --foreground "${2:-60}" docker wait "$ID-$1") || die "$1 did not end within ${2:-60} s"
  docker logs "$ID-$1" >"$SCRATCH/$1.out" 2>"$SCRATCH/$1.err"
}

# --- Building ----------------------------------------------------------------------------------------

# Builds the static binary; its path is in PODRING.
build_binary() {
  local triple target
  command -v cargo >/dev/null || die "cargo is missing: install Rust from https://rustup.rs"
  triple=$(rustc -vV | sed -n 's/^host: //p')
  target=$(cd "$ROOT" && cargo metadata --format-version 1 --no-deps --locked | json target_directory) ||
    die "cargo metadata failed"
  (cd "$ROOT" && RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --release --locked --target "$triple" -p podring-cli) ||
    die "the static build failed (it needs a static C library: libc6-dev, glibc-static or musl-dev)"
  PODRING="$target/$triple/release/podring"
}

# Builds the image from the binary: build_image TAG
build_image() {
  local context="$SCRATCH/image"
  install -d -m 1777 "$context/rootfs/dev/shm"
  install -m 0755 "$PODRING" "$context/rootfs/podring"
  cp "$ROOT/containers/Dockerfile" "$context/"
  docker build --quiet --tag "$1" "$context" >/dev/null 2>"$SCRATCH/build" || die "$(cat "$SCRATCH/build")"
  PODRING_IMAGE=$1
}

# --- Reading what podring prints ---------------------------------------------------------------------

# Every value of a key in the JSON on stdin, one a line. Enough for podring's own output, and needs no jq.
json_all() {
  tr -d '\n' | grep -o "\"$1\"[[:space:]]*:[[:space:]]*\(\"[^\"]*\"\|[^],}[:space:]]*\)" |
    sed 's/^"[^"]*"[[:space:]]*:[[:space:]]*//; s/^"//; s/"$//'
}

# The first one.
json() { json_all "$1" | sed -n 1p; }

# The seat of a role in the JSON of `podring info` on stdin, without its counters: seat producer|consumer
seat() {
  tr -d '\n' | sed 's/"stats"[[:space:]]*:[[:space:]]*{[^}]*}//g; s/[{}]/\n/g' |
    grep "\"role\"[[:space:]]*:[[:space:]]*\"$1\""
}

# Fails unless the JSON of `podring verify` on stdin counts nothing lost, duplicated, out of order or corrupt.
intact() {
  local facts count
  facts=$(cat)
  for count in lost duplicated reordered corrupt; do
    [ "$(json "$count" <<<"$facts")" = 0 ] || die "not intact: $facts"
  done
}

# Milliseconds, for measuring spans.
now_ms() {
  local micros=${EPOCHREALTIME/[.,]/}
  echo "$((micros / 1000))"
}

# GB/s with two decimals: rate BYTES MILLISECONDS
rate() {
  local hundredths=$(($1 / ($2 * 10000)))
  printf '%d.%02d\n' "$((hundredths / 100))" "$((hundredths % 100))"
}
