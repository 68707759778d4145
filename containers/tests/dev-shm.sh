#!/usr/bin/env bash
# Every command of docs/dev-shm.md, in order, under names of this run: each succeeds, or fails where it says so, and
# what is shown below a block of commands is among what they printed, figures and host names aside.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

document="$ROOT/docs/dev-shm.md"

# The words that name things of this run's; the document has those that a reader would type.
ours() {
  local word
  for word in "$@"; do
    case $word in
      podring) word=$PODRING_IMAGE ;;
      writer | keeper | rings) word=$ID-$word ;;
      rings:*) word=$ID-$word ;;
    esac
    WORDS+=("$word")
  done
}

# A line of the document.
execute() {
  local line=$1 fails=no code=0
  local -a typed
  [[ $line != *" # fails" ]] || fails=yes
  read -ra typed <<<"${line%% # *}"
  [ "${typed[0]}" = docker ] || die "not a docker command: $line"
  case "${typed[1]} ${typed[2]}" in
    run*) WORDS=(docker run "${LABELS[@]}") && ours "${typed[@]:2}" ;;
    "volume create") WORDS=(docker volume create "${LABELS[@]}") && ours "${typed[@]:3}" ;;
    *) WORDS=(docker) && ours "${typed[@]:1}" ;;
  esac
  timeout 120 "${WORDS[@]}" >>"$SCRATCH/printed" 2>&1 || code=$?
  if [ "$fails" = yes ]; then
    [ "$code" != 0 ] || die "should have failed: $line"
  else
    [ "$code" = 0 ] || die "exit code $code from: $line
$(cat "$SCRATCH/printed")"
  fi
  commands=$((commands + 1))
}

# Runs of blanks are one, and figures and container ids are not compared.
masked() { sed -E 's/@[0-9a-f]{12}/@/g; s/[0-9]+(\.[0-9]+)?/0/g; s/[[:space:]]+/ /g' "$@"; }

commands=0 shown=0 block=
: >"$SCRATCH/printed"
while IFS= read -r line <&4; do
  case $line in
    '```sh')
      # What was printed is compared up to the next commands.
      if [ "$block" = compared ]; then : >"$SCRATCH/printed"; fi
      block=commands
      ;;
    '```text') block=text ;;
    '```') case $block in text) block=compared ;; *) block=between ;; esac ;;
    *)
      if [ "$block" = commands ] && [ -n "$line" ]; then
        execute "$line"
      elif [ "$block" = text ]; then
        masked "$SCRATCH/printed" >"$SCRATCH/masked"
        grep -qF -e "$(masked <<<"$line")" "$SCRATCH/masked" || die "not printed: $line
$(cat "$SCRATCH/printed")"
        shown=$((shown + 1))
      fi
      ;;
  esac
done 4<"$document"
[ $((commands >= 15 && shown >= 8)) = 1 ] || die "$commands commands, $shown lines: is the document read at all?"

note "$commands commands of docs/dev-shm.md, $shown lines as shown"
