# make run     build (in some minutes), serve examples/kong.yml with built-in mock upstreams, and print requests to try
# make build   build for production
# make test    what CI checks, except packaging, fuzz targets and `make extra-lint`
# make deny    licences, origins and known vulnerabilities of the dependencies
# make bench   speed, as ratios within one run
# make docs    write schemas/, man/, completions/ and docs/reference/ anew from the code
# make static  build one binary that needs no library, for Linux
# make deb     build a Debian package
# make install put the program, its pages and completions under PREFIX (/usr/local)

CARGO  ?= cargo
PREFIX ?= /usr/local
BINARY := target/release/gatewayctl
MUSL   := $(shell uname -m)-unknown-linux-musl
# Where rustup has just been installed, no shell knows it yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: run build static test prometheus format lint unit extra-lint docs bench deb deny install setup

run: setup
	$(CARGO) build --profile quick --locked
	@scripts/try.sh target/quick/gatewayctl

build: setup
	$(CARGO) build --release --locked

# With a C compiler for musl (musl-tools on Debian) and the target of rustup.
static: TOOLS = musl-gcc
static: setup
	rustup target add $(MUSL)
	$(CARGO) build --release --locked --target $(MUSL) --bin gatewayctl
	@echo "target/$(MUSL)/release/gatewayctl"

# The GitHub Action's scripts, which have tests, use jq.
test: TOOLS = jq
test: setup prometheus format lint unit

prometheus:
	@scripts/prometheus.sh

format:
	$(CARGO) fmt --all --check

lint:
	scripts/words.sh
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# Real files are no part of this repository: a clone without them skips the tests that read them, and says so.
unit: export CORPUS ?= $(if $(wildcard ../shared/corpus/manifest.tsv),../shared/corpus,none)
unit:
	@[ "$$CORPUS" != none ] || echo "CORPUS=none: the tests of real files are skipped, they are not in ../shared/corpus"
	$(CARGO) test --locked --workspace

# Documentation without warnings, and the program without the feature `serve`. CI runs this in a job of its own, because it
# would add two minutes to `make test`.
extra-lint:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps
	$(CARGO) clippy --locked --no-default-features --lib --bins -- -D warnings

docs:
	UPDATE=1 $(CARGO) test --locked --test generated
	$(CARGO) doc --no-deps --locked --workspace

bench:
	$(CARGO) bench --locked

deny:
	command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --locked check -D warnings bans licenses sources
	$(CARGO) deny --locked check advisories

deb: build
	command -v cargo-deb >/dev/null || $(CARGO) install --locked cargo-deb
	$(CARGO) deb --no-build --no-strip

install: build
	install -Dm755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/gatewayctl
	for page in man/*.1; do install -Dm644 $$page $(DESTDIR)$(PREFIX)/share/man/man1/$$(basename $$page); done
	install -Dm644 completions/gatewayctl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/gatewayctl
	install -Dm644 completions/_gatewayctl $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_gatewayctl
	install -Dm644 completions/gatewayctl.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/gatewayctl.fish

setup:
	@scripts/setup.sh $(TOOLS)
