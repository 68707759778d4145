# shellcheck shell=bash
# Tables of set-ups: what the cases sharing-*.sh have in common, on top of testlib.sh. A row is one set-up of
# two containers; rows run a few at a time, and each has its line in the table that the case prints.

# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/testlib.sh"

# More rows at once only wait for each other: the engine starts containers one after the other.
AT_ONCE=3
ROWS=0
RUNNING=0
SKIPPED=0
mkdir "$SCRATCH/rows"

# --- The table -----------------------------------------------------------------------------------------

# Runs a row in the background: row LABEL command [argument...]
# The command runs with ROW set, and dies if anything is not as expected. What stands behind the label is what
# it says with `line`.
row() {
  local label=$1
  shift
  ROWS=$((ROWS + 1))
  printf '%s\n' "$label" >"$SCRATCH/rows/$ROWS.label"
  while [ "$RUNNING" -ge "$AT_ONCE" ]; do
    wait -n || true # how it ended is in its file
    RUNNING=$((RUNNING - 1))
  done
  # In the background, where strict mode holds: nobody asks there how it ends.
  in_row "$ROWS" "$@" >"$SCRATCH/rows/$ROWS.log" 2>&1 &
  RUNNING=$((RUNNING + 1))
}

in_row() {
  ROW="row$1"
  # Rows share volumes, and some of them the host's /dev/shm.
  RING="$ID-$ROW"
  trap clear_row EXIT
  "${@:2}"
  touch "$SCRATCH/rows/$1.right"
}

clear_row() {
  local left
  mapfile -t left < <(docker ps -aq --filter "name=^/$ID-$ROW-")
  [ "${#left[@]}" = 0 ] || docker rm -f "${left[@]}" >/dev/null
}

# A row that cannot be run here: without LABEL WHY
without() {
  SKIPPED=$((SKIPPED + 1))
  printf '%s\n' "$1" >"$SCRATCH/rows/skipped$SKIPPED.label"
  printf '%s\n' "$2" >"$SCRATCH/rows/skipped$SKIPPED.line"
}

# What a row has seen: line MODE-A MODE-B DOCTOR RING
line() { printf '%-15s %-15s %-22s %s\n' "$@" >"$SCRATCH/rows/${ROW#row}.line"; }

# Waits for all rows and prints them: finish WHAT
finish() {
  local number right=0 table=
  wait || true
  for ((number = 1; number <= ROWS; number++)); do
    if [ -e "$SCRATCH/rows/$number.right" ]; then
      right=$((right + 1))
      table+=$(printf '\n  right   %-40s %s' "$(cat "$SCRATCH/rows/$number.label")" "$(cat "$SCRATCH/rows/$number.line")")
    else
      table+=$(printf '\n  WRONG   %-40s %s' "$(cat "$SCRATCH/rows/$number.label")" "$(tail -n 1 "$SCRATCH/rows/$number.log")")
      say "--- $(cat "$SCRATCH/rows/$number.label")"
      cat "$SCRATCH/rows/$number.log" >&2
    fi
  done
  for ((number = 1; number <= SKIPPED; number++)); do
    table+=$(printf '\n  skipped %-40s %s' "$(cat "$SCRATCH/rows/skipped$number.label")" "$(cat "$SCRATCH/rows/skipped$number.line")")
  done
  note "$right of $ROWS verdicts right, $SKIPPED skipped: $1$table"
  if [ "$right" != "$ROWS" ]; then
    cat "$SCRATCH"/rows/*.log >&2
    die "$((ROWS - right)) of $ROWS are wrong:$table"
  fi
}

# --- One row's containers ------------------------------------------------------------------------------

# Words of an option list, with @ for this run's prefix and % for this row's.
words() {
  local text=${1//@/$ID-}
  read -ra WORDS <<<"${text//%/$ID-$ROW-}"
}

# A container of this row that waits to be asked: side a|b "docker run options"
# It waits for a ring in its root directory, which every container has.
side() {
  words "$2"
  start "$ROW-$1" "${WORDS[@]}" -- recv never-made --no-create --open-timeout 60m --dir /
}

# Runs podring in one of them: ask a|b argument...
# Its exit code is then in CODE, what it printed in $SCRATCH/$ROW-a.said and .err.
ask() {
  CODE=0
  docker exec "$ID-$ROW-$1" /podring "${@:2}" >"$SCRATCH/$ROW-$1.said" 2>"$SCRATCH/$ROW-$1.err" || CODE=$?
}

# A fact of what it printed: said a|b KEY
said() { json "$2" <"$SCRATCH/$ROW-$1.said" || die "no \"$2\" in: $(cat "$SCRATCH/$ROW-$1".{said,err})"; }

# What it thought of one of its checks: verdict a|b CHECK
verdict() {
  tr -d '\n' <"$SCRATCH/$ROW-$1.said" | grep -o '"verdicts":{[^}]*}' | json "$2" ||
    die "no verdict on $2 in: $(cat "$SCRATCH/$ROW-$1".{said,err})"
}

# expect WHAT FOUND EXPECTED
expect() {
  [ "$2" = "$3" ] || die "the last answers were: $(cat "$SCRATCH/$ROW-"*.{said,err})
$1: $2, expected $3"
}

# The doctor's judgement: doctor a|b EXIT-CODE MODE VERDICT-ON-SHARING [argument...]
doctor() {
  ask "$1" doctor --json "${@:5}"
  expect "doctor's exit code in $1" "$CODE" "$2"
  expect "mode in $1" "$(said "$1" mode)" "$3"
  expect "verdict on sharing in $1" "$(verdict "$1" sharing)" "$4"
}

# What the doctor is to think of a mode: verdict_on MODE
verdict_on() {
  case $1 in
    host | host-sized | tmpfs-volume) echo ok ;;
    docker-shm | disk-volume | disk-directory) echo warn ;;
    private-tmpfs | container-layer | absent) echo fail ;;
    *) die "no such mode: $1" ;;
  esac
}

# The doctor in both containers, each told the other's fingerprint: diagnose MODE-A MODE-B same|CAUSE [argument...]
diagnose() {
  local mine theirs other who expected code
  local -A print
  for who in a b; do
    ask "$who" doctor --json "${@:4}"
    print[$who]=$(said "$who" fingerprint)
  done
  for who in a b; do
    if [ "$who" = a ]; then mine=$1 theirs=${print[b]} other=$2; else mine=$2 theirs=${print[a]} other=$1; fi
    expected=$(verdict_on "$mine") code=0
    if [ "$expected" = fail ] || [ "$3" != same ]; then code=1; fi
    doctor "$who" "$code" "$mine" "$expected" --peer-fingerprint "$theirs" "${@:4}"
    if [ "$3" = same ]; then
      expect "comparison with $other in $who" "$(verdict "$who" comparison)" ok
    else
      expect "comparison with $other in $who" "$(verdict "$who" comparison)" fail
      expect "cause in $who" "$(said "$who" cause)" "$3"
    fi
  done
}

# `doctor --with` on both sides at once; their exit codes are then in MET: meet TIMEOUT [argument...]
meet() {
  local first second code_a=0 code_b=0
  docker exec "$ID-$ROW-a" /podring doctor --with "$RING" --timeout "$1" --json "${@:2}" >"$SCRATCH/$ROW-a.said" 2>"$SCRATCH/$ROW-a.err" &
  first=$!
  docker exec "$ID-$ROW-b" /podring doctor --with "$RING" --timeout "$1" --json "${@:2}" >"$SCRATCH/$ROW-b.said" 2>"$SCRATCH/$ROW-b.err" &
  second=$!
  wait "$first" || code_a=$?
  wait "$second" || code_b=$?
  MET="$code_a $code_b"
}

# They must meet, by every test: meets [argument...]
meets() {
  local who check
  meet 60s "$@"
  expect "exit codes of the meeting" "$MET" "0 0"
  for who in a b; do
    for check in memory token wakes locks; do
      expect "verdict on $check in $who" "$(verdict "$who" "$check")" ok
    done
  done
}

# They must not: misses [argument...]
misses() {
  meet 200ms "$@"
  expect "exit codes of the meeting" "$MET" "1 1"
  expect "the meeting in a" "$(verdict a meeting)" fail
  expect "the meeting in b" "$(verdict b meeting)" fail
}

# A verified stream from a to b must arrive: streams [argument...]
streams() {
  local producer code=0
  docker exec "$ID-$ROW-a" /podring verify producer "$RING" --count 2000 --json "$@" >"$SCRATCH/$ROW-sent" 2>&1 &
  producer=$!
  ask b verify consumer "$RING" --timeout 60s --json "$@"
  wait "$producer" || code=$?
  expect "exit codes of the stream" "$code $CODE" "0 0"
  intact <"$SCRATCH/$ROW-b.said"
  expect "messages" "$(said b messages)" 2000
}

# A ring that a makes is not there for b, and the error says where it looked: hidden [argument...]
hidden() {
  ask a create "$RING-hidden" "$@"
  expect "exit code of create" "$CODE" 0
  ask b recv "$RING-hidden" --no-create --open-timeout 10ms --json "$@"
  expect "what b gets" "$CODE $(json kind <"$SCRATCH/$ROW-b.err")" "3 NotFound"
  grep -q "mode [0-7]* of uid .*podring doctor --with $RING-hidden" "$SCRATCH/$ROW-b.err" || die "the error does not help: $(cat "$SCRATCH/$ROW-b.err")"
}

# --- Rows of the usual kinds ---------------------------------------------------------------------------

# Both see the same memory: shared MODE-A MODE-B OPTIONS-A OPTIONS-B [podring argument...]
shared() {
  side a "$3"
  side b "$4"
  diagnose "$1" "$2" same "${@:5}"
  meets "${@:5}"
  streams "${@:5}"
  line "$1" "$2" "same memory, met" "2000 messages intact"
}

# They do not: apart MODE-A MODE-B CAUSE OPTIONS-A OPTIONS-B [podring argument...]
apart() {
  side a "$4"
  side b "$5"
  diagnose "$1" "$2" "$3" "${@:6}"
  misses "${@:6}"
  hidden "${@:6}"
  line "$1" "$2" "$3" "not found"
}

# Docker itself refuses the second container: no_start TEXT OPTIONS-A OPTIONS-B
no_start() {
  side a "$2"
  words "$3"
  attempt_in_row "${WORDS[@]}" -- doctor
  expect "docker's exit code" "$CODE" 125
  grep -qF "$1" "$SCRATCH/$ROW-b.err" || die "docker said: $(cat "$SCRATCH/$ROW-b.err")"
  line - - - "docker: $1"
}

# Runs a container of this row to its end: attempt_in_row [docker run option...] -- [argument...]
attempt_in_row() {
  CODE=0
  run_hardened --rm "$@" >"$SCRATCH/$ROW-b.said" 2>"$SCRATCH/$ROW-b.err" || CODE=$?
}
