# shellcheck shell=bash
# What the cases of tests/ share, on top of lib.sh. test.sh runs them and gives each the image.

# shellcheck source=containers/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

: "${PODRING_IMAGE:?"run a case as: containers/test.sh CASE"}"

# The one line that stands behind "ok" or "skipped".
note() { printf '%s\n' "$*" >&3; }
skip() { note "$*"; exit 77; }

# The containers of a case share their rings through this volume.
use_shm() {
  new_volume shm 256m
  SHM=(-v "$ID-shm:/dev/shm:nocopy")
}

# A tmpfs volume is emptied when its last container stops. This one waits for a ring that never comes, so
# that what the others leave can be looked at.
start_keeper() { start keeper "${SHM[@]}" -- recv never-made --no-create --open-timeout 60m; }

# Runs podring in the keeper: quicker than a container of its own.
in_keeper() { docker exec "$ID-keeper" /podring "$@"; }

# Runs podring to its end: attempt [docker run option...] -- [argument...]
# Its exit code is then in CODE, what it printed in $SCRATCH/out and err.
attempt() {
  CODE=0
  run_hardened --rm "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" || CODE=$?
}

# The attempt must succeed: works [docker run option...] -- [argument...]
works() {
  attempt "$@"
  [ "$CODE" = 0 ] || die "exit code $CODE from: $*
$(cat "$SCRATCH/out" "$SCRATCH/err")"
}

# The attempt must fail in this way: refused EXIT-CODE KIND [docker run option...] -- [argument...] --json
refused() {
  local code=$1 kind=$2 found
  shift 2
  attempt "$@"
  found=$(cat "$SCRATCH/out" "$SCRATCH/err" | json kind) || found="no kind"
  [ "$CODE $found" = "$code $kind" ] || die "exit code $CODE, $found; expected $code, $kind from: $*
$(cat "$SCRATCH/out" "$SCRATCH/err")"
}

# What the last attempt told the user must contain each of these.
says() {
  local text
  for text in "$@"; do
    grep -qF -e "$text" "$SCRATCH/err" || die "the error does not name \"$text\":
$(cat "$SCRATCH/err")"
  done
}

# Waits until a command succeeds, a few seconds at most: eventually SECONDS command...
eventually() {
  local deadline=$(($(now_ms) + $1 * 1000))
  shift
  until "$@" >"$SCRATCH/eventually" 2>&1; do
    [ "$(now_ms)" -lt "$deadline" ] || die "did not come true in time: $*
$(cat "$SCRATCH/eventually")"
    sleep 0.05
  done
}
