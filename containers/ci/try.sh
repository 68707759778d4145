#!/usr/bin/env bash
# Runs the gates of the CI templates here, line for line, with an image built here: try.sh [TEMPLATE...]
# Names in the templates are for a machine of one's own; here they get this run's name in front.
#
# The exit code must be that of the verdicts in the results. What they are depends on what else the machine does, so with
# VERDICT=any a regression is one of the outcomes; without, it fails.
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
    -e "s/ podring bench / $PODRING_IMAGE bench /" <<<"$lines")
  mkdir "$SCRATCH/$name"
  code=0
  (cd "$SCRATCH/$name" && timeout 600 bash -e -c "$lines") >"$SCRATCH/$name.out" 2>&1 || code=$?
  cat "$SCRATCH/$name.out"
  result=$SCRATCH/$name/results/latency.json
  [ -s "$result" ] || die "FAIL: $name: exit code $code and no results"
  [ -s "${result%.json}.junit.xml" ] || die "FAIL: $name: no JUnit results"
  outcomes=$(json_all outcome <"$result" | sort -u)
  case $outcomes in
    *regression*) expected=4 ;;
    *noisy*) expected=6 ;;
    pass) expected=0 ;;
    *) die "FAIL: $name: no verdict in the results" ;;
  esac
  # Where noise is nobody's fault, the template says so and ends well.
  if [ "$expected" = 6 ] && [ "$code" = 0 ] && grep -q '^too noisy to tell' "$SCRATCH/$name.out"; then code=6; fi
  [ "$code" = "$expected" ] || die "FAIL: $name: exit code $code, and the verdicts are: $outcomes"
  case $code in
    0) verdict="passed" ;;
    6) verdict="too noisy to tell here, and said so" ;;
    4) verdict="a regression here, and said so" ;;
  esac
  [ "$code" != 4 ] || [ "${VERDICT:-}" = any ] || die "FAIL: $name: slower than the template allows"
  say "ok: $name: $verdict: $(cd "$SCRATCH/$name/results" && echo *)"
done
