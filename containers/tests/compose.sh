#!/usr/bin/env bash
# compose.yaml as it stands, by Compose 1 (docker-compose) or 2 (docker compose), whichever is here.
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

if docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose >/dev/null; then
  compose=(docker-compose)
else
  skip "neither docker compose nor docker-compose is installed"
fi
with="${compose[*]}"
compose+=(-p "$ID" -f "$ROOT/containers/compose.yaml")

# What Compose makes bears its own labels, not ours.
tidy() { "${compose[@]}" down -v --timeout 1 >/dev/null 2>&1; }

export PODRING_COUNT=1000000
timeout 120 "${compose[@]}" up -d

# The container of a service, running or not.
container() {
  docker ps -aq --filter "label=com.docker.compose.project=$ID" --filter "label=com.docker.compose.service=$1"
}
producer=$(container producer)
consumer=$(container consumer)
codes="$(timeout 60 docker wait "$producer") $(timeout 60 docker wait "$consumer")"
docker logs "$producer" >"$SCRATCH/producer.out"
docker logs "$consumer" >"$SCRATCH/consumer.out"
[ "$codes" = "0 0" ] || die "exit codes $codes"

received=$(json messages <"$SCRATCH/consumer.out")
[ "$received" = "$PODRING_COUNT" ] || die "$received messages arrived, $PODRING_COUNT were sent"

note "$with: $received messages, both exit codes 0"
