# Everything a person types. `make demo` and `make test` do all their own set-up on a fresh Debian or Ubuntu with Rust.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# What the demo and the tests translate with, and what the build compiles SQLite and rustls with.
PAIRS := apertium-eng-spa apertium-eng-cat apertium-en-gl apertium-es-pt apertium-fr-es
PACKAGES := apertium $(PAIRS) build-essential

.PHONY: help
help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: demo
demo: setup ## Says a small timeline again in Spanish, Catalan and Galician, with everything on this machine
	cargo run --release --locked --quiet -- demo $(ARGS)

.PHONY: test
test: setup setup-browser ## Runs every test
	cargo test --workspace --locked --features failpoints $(ARGS)

.PHONY: chaos
chaos: setup ## Kills, crashes and panics it at length on a failing network, and looks for what was lost or said twice
	CHAOS_POSTS=$${CHAOS_POSTS:-500} CHAOS_KILLS=$${CHAOS_KILLS:-100} \
	CHAOS_CRASHES=$${CHAOS_CRASHES:-10} CHAOS_PANICS=$${CHAOS_PANICS:-1000} \
	    cargo test --release --locked -p mynah --features failpoints --test chaos -- --nocapture --test-threads 1

.PHONY: fuzz
fuzz: setup ## Feeds X's answers and texts of all kinds to the parsers, FUZZ_SECONDS (600) for each
	command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	for target in x_answer mask; do \
	    mkdir -p fuzz/corpus/$$target && RUSTC_BOOTSTRAP=1 cargo fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- -max_total_time=$${FUZZ_SECONDS:-600} -timeout=20; \
	done

.PHONY: conformance
conformance: setup ## Holds what is found in texts against twitter-text's own data (fetches it with npm)
	mkdir -p target/conformance
	cd target/conformance && npm pack --silent twitter-text@1.6.1 >/dev/null && tar xzf twitter-text-1.6.1.tgz
	cd target/conformance && npx --yes js-yaml@4 package/test/twitter-text-conformance/extract.yml > extract.json
	TWITTER_TEXT_EXTRACT=$(CURDIR)/target/conformance/extract.json \
	    cargo test --locked -p mynah --lib networks::x::text::conformance -- --include-ignored

.PHONY: lint
lint: ## Checks formatting and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --workspace --all-targets --locked --features failpoints -- -D warnings

.PHONY: audit
audit: ## Checks licenses, bans, sources and advisories of every dependency
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny check licenses bans sources
	@# No package registry carries the advisory database; it is a git repository, which some networks do not reach.
	@if cargo deny fetch db; then \
	    cargo deny check --disable-fetch advisories; \
	else \
	    echo "ADVISORIES WERE NOT CHECKED: this machine cannot fetch the RustSec database. Run \`make audit\` on a machine that" >&2; \
	    echo "can, or copy ~/.cargo/advisory-dbs from there and run \`cargo deny check --disable-fetch advisories\` here." >&2; \
	fi

.PHONY: bench-check
bench-check: setup-valgrind ## Counts the instructions of the hot paths; fails where one needs 5 % more than before
	benches/check.sh

.PHONY: bench-accept
bench-accept: setup-valgrind ## Takes these counts as those to compare with from now on
	benches/check.sh accept

.PHONY: setup-valgrind
setup-valgrind: setup
	@command -v valgrind >/dev/null || { \
	    if [ "$$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi; \
	    echo "installing: valgrind"; \
	    $$sudo apt-get update -qq; \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends valgrind >/dev/null; \
	}

.PHONY: image
image: ## Builds the container image, mynah:latest
	docker build -t mynah:latest .

# Debian and Ubuntu name the driver differently.
.PHONY: setup-browser
setup-browser:
	@command -v chromedriver >/dev/null || { \
	    if [ "$$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi; \
	    $$sudo apt-get update -qq; \
	    if apt-cache show chromium-driver >/dev/null 2>&1; then driver=chromium-driver; else driver=chromium-chromedriver; fi; \
	    echo "installing: $$driver"; \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$driver >/dev/null; \
	}

.PHONY: image-test
image-test: image ## Builds the image and runs it as an operator does: stopped, killed, read-only, with a full disk
	cargo build --release --locked --quiet
	deploy/container-test.sh mynah:latest

.PHONY: deploy-check
deploy-check: ## Checks the files of deploy/ and compose.yaml against schemas and with promtool
	deploy/check.sh

.PHONY: setup
setup: ## Installs Debian's packages that are missing (asks sudo only then)
	@missing=$$(for package in $(PACKAGES); do \
	    dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; done); \
	if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi; \
	    echo "installing: "$$missing; \
	    $$sudo apt-get update -qq; \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
	@command -v cargo >/dev/null || { echo "Rust is missing: see https://rustup.rs" >&2; exit 1; }
