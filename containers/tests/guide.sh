#!/usr/bin/env bash
# Every command of docs/containers.md, up to its recipes, does what the page says. A block marked "sh" is run, and
# must succeed; one marked "sh fails" must fail. A block marked "text" is what the one before it printed: its lines
# must come in this order, perhaps with others in between; "…" stands for anything.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

guide="$ROOT/docs/containers.md"
blocks="$SCRATCH/blocks"
mkdir "$blocks"

# What the page's commands make, under this run's own names.
# shellcheck disable=SC2317,SC2329 # called by clean_up
tidy() {
  local left
  mapfile -t left < <(docker ps -aq --filter "name=^/$ID-")
  [ "${#left[@]}" = 0 ] || docker rm -f "${left[@]}" >/dev/null
  mapfile -t left < <(docker volume ls -q --filter "name=^$ID-")
  [ "${#left[@]}" = 0 ] || docker volume rm -f "${left[@]}" >/dev/null
}
names=(-e "s/podring-\(a\|b\|rings\|disk\)\b/$ID-\1/g")
image=(-e "/^ *\(echo .*\)\?docker run/s/ podring / $PODRING_IMAGE /")

awk -v to="$blocks" '
  /^## Recipes/ { exit }
  /^```/ {
    if (file != "") { close(file); file = ""; next }
    count++
    kind = substr($0, 4)
    file = sprintf("%s/%03d.%s", to, count, kind)
    sub(/ /, "-", file)
    printf "" > file
    next
  }
  file != "" { print > file }' "$guide"

# The lines of a text block, in order, among those that were printed: printed BLOCK OUTPUT
printed() {
  local line pattern number=0 found
  while IFS= read -r line; do
    # Every character stands for itself, but for the one that stands for anything.
    pattern=$(sed -e 's/[][\\.*^$]/\\&/g' -e 's/…/.*/g' <<<"$line")
    found=$(tail -n "+$((number + 1))" "$2" | grep -n -m 1 -e "$pattern" | cut -d : -f 1) ||
      die "$(basename "$1"): the page says \"$line\", printed was:
$(cat "$2")"
    number=$((number + found))
  done < <(sed "${names[@]}" "$1")
}

commands=0 lines=0
for block in "$blocks"/*; do
  case $block in
    *.sh | *.sh-fails)
      sed "${names[@]}" "${image[@]}" "$block" >"$SCRATCH/block.sh"
      code=0
      timeout 120 bash -euo pipefail "$SCRATCH/block.sh" >"$SCRATCH/printed" 2>&1 </dev/null || code=$?
      case "$block $code" in
        *.sh\ 0) ;;
        *.sh-fails\ 0) die "$(basename "$block") was to fail: $(cat "$block" "$SCRATCH/printed")" ;;
        *.sh-fails\ 124) die "$(basename "$block") does not end: $(cat "$block" "$SCRATCH/printed")" ;;
        *.sh-fails\ *) ;;
        *) die "$(basename "$block"): exit code $code: $(cat "$block" "$SCRATCH/printed")" ;;
      esac
      commands=$((commands + $(grep -c . "$block")))
      ;;
    *.text)
      printed "$block" "$SCRATCH/printed"
      lines=$((lines + $(grep -c . "$block")))
      ;;
    *) die "a block of the guide is neither sh nor text: $block" ;;
  esac
done
[ "$((commands * lines))" -gt 0 ] || die "no blocks found in $guide"

note "$commands commands of docs/containers.md, $lines lines of what they print"
