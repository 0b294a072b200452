# The commands for developers. `make demo` and `make test` install what they need on a fresh Debian or Ubuntu with Rust.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The language pairs for the demo and the tests, and the compiler that the build needs for SQLite and rustls.
PAIRS := apertium-eng-spa apertium-eng-cat apertium-en-gl apertium-es-pt apertium-fr-es
PACKAGES := apertium $(PAIRS) build-essential

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: demo
demo: setup ## Republish a small timeline in Spanish, Catalan and Galician, all on this machine
	@echo "Building Mynah, which takes a few minutes the first time …"
	@# Without what nobody should wait for: optimization, and the allocator for services that run for long.
	cargo run --profile demo --locked --no-default-features -- demo $(ARGS)

.PHONY: test
test: setup setup-browser setup-postgresql setup-redis ## Run every test
	MYNAH_TEST_POSTGRES=required MYNAH_TEST_REDIS=required cargo test --workspace --locked --features failpoints $(ARGS)

# Feeds of another reader's tests, to read.
FEEDS := target/feeds/feedparser-6.0.14

# The versions are in tests/bluesky/pds/package-lock.json. They need Node.js 18 or newer.
.PHONY: setup-bluesky
setup-bluesky:
	@command -v npm >/dev/null || { \
	    if [ "$$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi; \
	    echo "installing: npm"; \
	    $$sudo apt-get update -qq; \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm >/dev/null; \
	}
	@cd tests/bluesky/pds; if ! cmp -s package-lock.json node_modules/.installed; then \
	    echo "installing: Bluesky's server (a minute and a half, 400 MB)"; \
	    npm ci --silent --no-audit --no-fund && cp package-lock.json node_modules/.installed; \
	fi

.PHONY: setup-feeds
setup-feeds: setup-mastodon
	@[ -d $(FEEDS) ] || { \
	    echo "installing: feedparser's tests"; \
	    mkdir -p $(dir $(FEEDS)); \
	    $(MASTODON_MOCK)/bin/pip download --quiet --no-deps --no-binary :all: --dest $(dir $(FEEDS)) feedparser==6.0.14; \
	    tar -xzf $(FEEDS).tar.gz -C $(dir $(FEEDS)); \
	}

.PHONY: setup-postgresql
setup-postgresql:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { \
	    if [ "$$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi; \
	    echo "installing: postgresql"; \
	    $$sudo apt-get update -qq; \
	    $$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends postgresql >/dev/null; \
	}

# Debian and Ubuntu use different names for the driver.
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
image-test: image ## Build the image and run it as an operator would: stopped, killed, read-only, with a full disk
	cargo build --release --locked --quiet
	deploy/container-test.sh mynah:latest

.PHONY: deploy-check
deploy-check: ## Check deploy/ and compose.yaml against schemas and with promtool
	deploy/check.sh

.PHONY: setup
setup: ## Install missing Debian packages (uses sudo only if some are missing)
	@missing=$$(for package in $(PACKAGES); do \
	    dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; done); \
	if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi; \
	    echo "installing: "$$missing; \
	    $$sudo apt-get update -qq; \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
	@command -v cargo >/dev/null || { echo "Rust is missing: see https://rustup.rs" >&2; exit 1; }
