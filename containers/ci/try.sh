#!/usr/bin/env bash
# Runs the gates of the CI templates here, line for line, with an image built here: try.sh [TEMPLATE...]
# Names in the templates are for a machine of one's own; here they get this run's name in front.
# shellcheck source=containers/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

docker_usable || die "the templates need a Docker engine, and $NO_DOCKER"
templates=("$@")
[ "${#templates[@]}" != 0 ] || templates=("$ROOT"/containers/ci/*.yml)

say "building the static binary and the image ..."
build_binary
BUILT_IMAGE=$ID
build_image "$ID"
export PODRING_IMAGE

tidy() { docker rm -f "$ID-gate" "$ID-partner" >/dev/null 2>&1; docker volume rm -f "$ID-rings" >/dev/null 2>&1; }

for template in "${templates[@]}"; do
  name=$(basename "$template" .yml)
  # The lines between the marks, at the left margin.
  lines=$(sed -n '/# >>> gate/,/# <<< gate/p' "$template" | sed 's/^ *//')
  [ -n "$lines" ] || die "$template: no lines between '# >>> gate' and '# <<< gate'"
  lines=$(sed -e "s/--name partner/--name $ID-partner/; s/--name gate/--name $ID-gate/" \
    -e "s/rm -f gate partner/rm -f $ID-gate $ID-partner/" -e "s/\brings\b/$ID-rings/g" \
    -e "s/\$shared podring bench/\$shared $PODRING_IMAGE bench/" <<<"$lines")
  mkdir "$SCRATCH/$name"
  code=0
  (cd "$SCRATCH/$name" && timeout 300 bash -e -c "$lines") >"$SCRATCH/$name.out" 2>&1 || code=$?
  cat "$SCRATCH/$name.out"
  case $code in
    0) echo "ok: $name: $(cd "$SCRATCH/$name/results" && echo *)" ;;
    6) echo "ok: $name: too noisy to tell here, and said so" ;;
    *) die "FAIL: $name: exit code $code" ;;
  esac
  [ -s "$SCRATCH/$name/results/latency.junit.xml" ] || die "FAIL: $name: no results"
done
