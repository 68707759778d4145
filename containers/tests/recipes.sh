#!/usr/bin/env bash
# The recipes that can be run here, run as they stand; the others checked with whatever tool for it is installed.
# (That every YAML file parses, and what the pod asks for, is cli/tests/recipes.rs.)
# shellcheck source=containers/testlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testlib.sh"

recipes="$ROOT/containers/recipes"
done_well=() not_checked=()

timeout 120 "$recipes/docker-ipc.sh" >"$SCRATCH/out" 2>&1 || die "docker-ipc.sh: exit code $?
$(cat "$SCRATCH/out")"
grep -q '\b0 lost\b' "$SCRATCH/out" || die "no \"0 lost\" in: $(cat "$SCRATCH/out")"
done_well+=(docker-ipc.sh)

if docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose >/dev/null; then
  compose=(docker-compose)
else
  compose=()
fi
if [ "${#compose[@]}" = 0 ]; then
  not_checked+=("compose-ipc.yaml (no docker compose)")
else
  compose+=(-p "$ID" -f "$recipes/compose-ipc.yaml")
  # What Compose makes bears its own labels, not ours.
  tidy() { "${compose[@]}" down -v --timeout 1 >/dev/null 2>&1; }
  timeout 120 "${compose[@]}" up -d
  for service in producer consumer; do
    container=$(docker ps -aq --filter "label=com.docker.compose.project=$ID" \
      --filter "label=com.docker.compose.service=$service")
    code=$(timeout 60 docker wait "$container")
    docker logs "$container" >"$SCRATCH/$service.out" 2>&1
    [ "$code" = 0 ] || die "compose-ipc.yaml: $service: exit code $code: $(cat "$SCRATCH/$service.out")"
  done
  intact <"$SCRATCH/consumer.out"
  done_well+=(compose-ipc.yaml)
fi

if command -v systemd-analyze >/dev/null; then
  # The unit as it stands but for the program, which is not installed here.
  sed "s|^ExecStart=[^ ]*|ExecStart=/bin/true|" "$recipes/podring-metrics.service" >"$SCRATCH/podring-metrics.service"
  systemd-analyze verify --man=no "$SCRATCH/podring-metrics.service" >"$SCRATCH/out" 2>&1 || true
  # It may complain of this machine's own units; of ours it must say nothing.
  if grep -i "podring" "$SCRATCH/out"; then die "podring-metrics.service: $(cat "$SCRATCH/out")"; fi
  done_well+=("podring-metrics.service (systemd-analyze)")
else
  not_checked+=("podring-metrics.service (no systemd-analyze)")
fi

if command -v kubernetes-validate >/dev/null; then
  kubernetes-validate --strict --quiet "$recipes/kubernetes.yaml" || die "kubernetes.yaml breaks its schema"
  done_well+=("kubernetes.yaml (kubernetes-validate)")
else
  not_checked+=("kubernetes.yaml by schema (pip install kubernetes-validate)")
fi

text=$(printf '%s, ' "${done_well[@]}")
missed=$(printf '%s, ' "${not_checked[@]:-}")
note "${text%, }${not_checked[0]:+; not checked: ${missed%, }}"
