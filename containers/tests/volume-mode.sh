#!/usr/bin/env bash
# A volume that one container has mounted and left empty can still be written by a user who is not root after
# another container has been made with it. Docker gives an empty volume the mode of the image's own /dev/shm,
# unless it is mounted with "nocopy".
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

use_shm
start_keeper
works -v "$ID-shm:/dev/shm" -- create copied
in_keeper rm copied
works -v "$ID-shm:/dev/shm:nocopy" -- create kept

# The same on Docker's default volume, a directory on disk that belongs to root.
docker volume create "${LABELS[@]}" "$ID-disk" >/dev/null
works -v "$ID-disk:/dev/shm" -- create orders

note "user 1000 creates rings in a tmpfs volume with and without nocopy, and in a default volume"
