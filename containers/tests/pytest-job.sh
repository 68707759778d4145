#!/usr/bin/env bash
# Two test jobs at once, each in a container of its own that creates segments and starts more containers through the
# host's Docker socket: each sees its own and nothing of the other, and nothing is left behind.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

socket=/var/run/docker.sock
[ -S "$socket" ] || skip "the engine is not at $socket"
[ -z "${DOCKER_HOST:-}" ] || skip "the engine is the one of DOCKER_HOST"
python=$(command -v python3) || skip "python3 is not installed"
python=$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')
base=$("$python" -c 'import sys; print(sys.base_prefix)')
client=$(command -v docker)

# No image with Python can be fetched here: the container borrows that of the host, read-only.
borrowed=(-v /usr:/usr:ro)
for dir in /bin /lib /lib64; do
  [ ! -d "$dir" ] || borrowed+=(-v "$(readlink -f "$dir"):$dir:ro")
done
[[ $base == /usr* ]] || borrowed+=(-v "$base:$base:ro")
borrowed+=(-v "$(readlink -f "$client"):/docker/docker:ro")
image_of_python() { docker run --rm "${LABELS[@]}" "${borrowed[@]}" --entrypoint "$python" "$PODRING_IMAGE" "$@"; }
image_of_python -c 'import mmap, multiprocessing.shared_memory' >"$SCRATCH/probe" 2>&1 ||
  skip "the host's Python does not run in a container: $(tail -n 1 "$SCRATCH/probe")"

# Root, as in a runner's job container: the socket is root's.
job() {
  docker run -d --name "$ID-$1" "${LABELS[@]}" --user 0:0 --network none "${borrowed[@]}" \
    -e "RINGS=$ID-$1" -e "PODRING_IMAGE=$PODRING_IMAGE" -e "LABELS=podring.run=$ID" -e PYTHONDONTWRITEBYTECODE=1 \
    -e "PATH=/docker:/usr/bin:/bin" -v "$socket:$socket" -v "$ID-$1:/dev/shm:nocopy" \
    -v "$ROOT/containers/examples/pytest-job:/job:ro" -w /job \
    --entrypoint "$python" "$PODRING_IMAGE" -m unittest -v test_shared >/dev/null
}
for name in one two; do
  new_volume "$name" 64m
  job "$name"
done
for name in one two; do
  ended "$name" 240
  [ "$CODE" = 0 ] || die "job $name: exit code $CODE
$(cat "$SCRATCH/$name.out" "$SCRATCH/$name.err")"
done
tests=$(sed -n 's/^Ran \([0-9]*\) tests.*/\1/p' "$SCRATCH/one.err")
[ "${tests:-0}" -ge 6 ] || die "too few tests ran: $(cat "$SCRATCH/one.err")"

# Their siblings are gone, and the volumes go with everything in them.
docker rm "$ID-one" "$ID-two" >/dev/null
siblings=$(docker ps -aq --filter "label=podring.run=$ID")
[ -z "$siblings" ] || die "containers were left behind: $siblings"
docker volume rm "$ID-one" "$ID-two" >/dev/null
[ -z "$(docker volume ls -q --filter "label=podring.run=$ID")" ] || die "a volume was left behind"

note "$tests tests in each of two jobs at once, $("$python" -V); nothing left behind"
