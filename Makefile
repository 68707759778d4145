# The few commands a person types. `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test lint loom loom-deep mutants step storm soak hostile hostile-asan tsan miri fuzz-smoke bench bench-containers targets gate-check instructions containers ci-templates image

SCRIPTS := .ci/run $(wildcard bench/*.sh containers/*.sh containers/*/*.sh fuzz/*.sh)
IMAGE ?= podring
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
SANITIZED = CARGO_TARGET_DIR=$${CARGO_TARGET_DIR:-target}/$(1) \
  RUSTFLAGS="-Zsanitizer=$(2) -Cunsafe-allow-abi-mismatch=sanitizer" \
  cargo +nightly test -p podring --all-features --locked --target $(HOST) --test $(3) -- --nocapture --test-threads 1

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name what; do \
	  printf '  make %-16s %s\n' "$$name" "$$what"; done

demo: ## stream verified messages between two containers, or two processes if there is no Docker
	@bash containers/demo.sh

test: ## the fast suite: all that needs no container
	cargo test --workspace --exclude podring-loom-tests --all-features --locked
	for script in $(SCRIPTS); do bash -n "$$script"; done

lint: ## formatting, clippy, documentation, shell scripts; a warning is an error
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps --locked
	if command -v shellcheck >/dev/null; then shellcheck -x $(SCRIPTS); else echo "shellcheck is not installed: scripts not checked"; fi

loom: ## every model of the algorithms, two preemptions per execution
	cargo run -p podring-loom-tests --locked --bin models

loom-deep: ## the same with three preemptions: see loom-tests/README.md for how long
	LOOM_PREEMPTIONS=3 cargo run -p podring-loom-tests --locked --bin models -- --limit 14400

mutants: ## weaken the algorithms one line at a time: some model must notice each
	cargo run -p podring-loom-tests --locked --bin mutants

step: ## kill a participant behind every machine instruction of every operation
	STEP=all cargo test --release --locked -p podring --features bytemuck --test step --test step_mpmc

storm: ## a minute of killing, stopping and restarting both sides of verified streams
	STORM_SECONDS=$${STORM_SECONDS:-60} cargo test --release -p podring-cli --locked --test storm -- --ignored --nocapture

soak: ## the same for eight hours, or for STORM_SECONDS
	STORM_SECONDS=$${STORM_SECONDS:-28800} cargo test --release -p podring-cli --locked --test storm -- --ignored --nocapture

hostile: ## a peer that scribbles over live rings, squats seats, cuts files
	HOSTILE_SECONDS=$${HOSTILE_SECONDS:-30} cargo test -p podring --all-features --locked --test hostile -- --nocapture --test-threads 1

hostile-asan: ## the same under AddressSanitizer; needs a nightly compiler
	@if cargo +nightly --version >/dev/null 2>&1; then ASAN_OPTIONS=handle_sigbus=0 $(call SANITIZED,asan,address,hostile); \
	else echo "hostile-asan: skipped: no nightly compiler"; fi

tsan: ## the algorithms over heap memory under ThreadSanitizer; needs a nightly compiler
	@if cargo +nightly --version >/dev/null 2>&1; then \
	  TSAN_OPTIONS=suppressions=$(CURDIR)/ring/tests/heap.suppressions $(call SANITIZED,tsan,thread,heap); \
	else echo "tsan: skipped: no nightly compiler"; fi

miri: ## the same, and the copying, under Miri; needs a nightly compiler with Miri
	@if cargo +nightly miri setup >/dev/null 2>&1; then seeds=$${MIRI_SEEDS:-8}; \
	  miri="cargo +nightly miri test -p podring --all-features --locked --target-dir $${CARGO_TARGET_DIR:-target}/miri"; \
	  $$miri --lib copy::; \
	  MIRIFLAGS="-Zmiri-many-seeds=0..$$seeds" $$miri --test heap -- --nocapture; \
	  echo "miri: $$seeds seeds, 0 failed"; \
	else echo "miri: skipped: no nightly compiler with Miri (rustup component add miri rust-src --toolchain nightly)"; fi

fuzz-smoke: ## fuzz the segment's bytes and scripts of operations; needs a nightly compiler
	bash fuzz/run.sh 8000

bench: ## single operations, then round trips, streams and queues of many, beside the floor and every peer
	cargo bench -p podring-bench --features peers --locked
	cargo run --release -p podring-bench --features peers --locked -- latency oneway wake throughput mpmc --compare --wait spin,adaptive

bench-containers: ## the same between two containers, and over a volume on a busy disk; needs a Docker engine
	@bash containers/bench.sh

targets: ## the table of performance targets, filled in here: met, or missed by how much (ten minutes)
	cargo run --release -p podring-bench --features peers --bin podring-targets --locked -- $(if $(ONLY),--only $(ONLY))

gate-check: ## does the gate tell? the same program must pass 20 times, a slower one fail 20 times
	bash bench/gate-check.sh

instructions: ## instructions of each operation (valgrind), beside those recorded; RECORD=1 records them
	cargo run --release -p podring-bench --bin podring-instructions --locked -- $(if $(RECORD),--record)

ci-templates: ## run the gates of the CI templates here, line for line; needs a Docker engine
	@bash containers/ci/try.sh

containers: ## the tests that run real containers; needs a Docker engine
	bash containers/test.sh

image: ## the image "podring" (or IMAGE=name), for containers/compose.yaml and containers/run.sh
	@bash containers/image.sh "$(IMAGE)"
