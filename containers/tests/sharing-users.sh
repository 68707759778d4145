#!/usr/bin/env bash
# Who may: two users, root with and without capabilities, directories of several modes, user namespaces. The doctor
# must say who may make rings and take part, before and as the ring does.
# shellcheck source=containers/matrix.sh
. "$(dirname "${BASH_SOURCE[0]}")/../matrix.sh"

volume="docker volume create ${LABELS[*]} --driver local --opt type=tmpfs --opt device=tmpfs"
$volume --opt o=size=64m,mode=1777 "$ID-sticky" >/dev/null
$volume --opt o=size=64m,mode=0777 "$ID-open" >/dev/null
$volume --opt o=size=64m,uid=1000,gid=1000,mode=0770 "$ID-owned" >/dev/null
$volume --opt o=size=64m,mode=0755 "$ID-roots" >/dev/null
docker volume create "${LABELS[@]}" "$ID-disk" >/dev/null

sticky="-v @sticky:/dev/shm:nocopy"

# a (user 1000) makes a ring of this mode; b may take part or not: taking_part MODE yes|no OPTIONS-B
taking_part() {
  side a "$sticky"
  side b "$sticky $3"
  ask a create "$RING" --mode "$1"
  expect "exit code of create" "$CODE" 0
  if [ "$2" = yes ]; then
    doctor b 0 tmpfs-volume ok "$RING"
    streams --mode "$1"
    line tmpfs-volume tmpfs-volume "ring: ok" "2000 messages intact"
  else
    doctor b 1 tmpfs-volume ok "$RING"
    expect "verdict on the ring" "$(verdict b ring)" fail
    ask b recv "$RING" --json
    expect "what b gets" "$CODE $(json kind <"$SCRATCH/$ROW-b.err")" "1 Permission"
    line tmpfs-volume tmpfs-volume "ring: fail" "Permission"
  fi
  # The doctors meet whatever their users are.
  meets
}

# May a make rings there? making MODE yes|warn|no OPTIONS-A
making() {
  local code=0 access=ok
  case $2 in
    warn) access=warn ;;
    no) code=1 access=fail ;;
  esac
  side a "$3"
  doctor a "$code" "$1" "$(verdict_on "$1")"
  expect "verdict on access" "$(verdict a access)" "$access"
  ask a create "$RING" --json
  if [ "$2" = no ]; then
    expect "what a gets" "$CODE $(said a kind)" "1 Permission"
    line "$1" - "access: $access" "Permission"
  else
    expect "exit code of create" "$CODE" 0
    line "$1" - "access: $access" "created"
  fi
}

with_capabilities() {
  HARDENED=(--network none)
  "$@"
}

# One side in Docker's user namespace, the other not.
remapped() {
  side a "$sticky --userns=host"
  side b "$sticky"
  doctor b 0 tmpfs-volume ok
  ask a create "$RING"
  doctor b 1 tmpfs-volume ok "$RING"
  expect "verdict on the ring" "$(verdict b ring)" fail
  meets
  line tmpfs-volume tmpfs-volume "ring: fail" "0666 works"
}

row "0600, the same user" taking_part 0600 yes ""
row "0600, another user" taking_part 0600 no "--user 2000:2000"
row "0644, another user" taking_part 0644 no "--user 2000:2000"
row "0666, another user" taking_part 0666 yes "--user 2000:2000"
row "0660, another user of the group" taking_part 0660 yes "--user 2000:1000"
row "0660, another user and group" taking_part 0660 no "--user 2000:2000"
row "0600, root without capabilities" taking_part 0600 no "--user 0:0"
row "0600, root with capabilities" with_capabilities taking_part 0600 yes "--user 0:0"
row "volume of mode 1777" making tmpfs-volume yes "$sticky"
row "volume of mode 0777" making tmpfs-volume warn "-v @open:/dev/shm:nocopy"
row "volume of mode 0770, its owner" making tmpfs-volume yes "-v @owned:/dev/shm:nocopy"
row "volume of mode 0770, another user" making tmpfs-volume no "-v @owned:/dev/shm:nocopy --user 2000:2000"
row "volume of mode 0755, not its owner" making tmpfs-volume no "-v @roots:/dev/shm:nocopy"
row "default volume with nocopy, not root" making disk-volume no "-v @disk:/dev/shm:nocopy"
if docker info --format '{{.SecurityOptions}}' | grep -q name=userns; then
  row "user namespace on one side" remapped
else
  without "user namespace on one side" "this engine runs without --userns-remap"
fi

finish "doctor's verdict on users and modes, and what a ring says"
