#!/usr/bin/env bash
# Installs what building needs, on a machine that may have none of it: a C compiler (for the crypto library
# and the allocator), jq and the Rust toolchain that rust-toolchain.toml names. Does nothing where all is there.
set -euo pipefail

root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

install() {
    if command -v apt-get >/dev/null; then
        root apt-get update -qq && root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
    elif command -v dnf >/dev/null; then
        root dnf install -y -q "$@"
    elif command -v apk >/dev/null; then
        root apk add -q "$@"
    elif command -v brew >/dev/null; then
        brew install -q "$@"
    else
        echo "setup: please install: $*" >&2
        exit 2
    fi
}

command -v cc >/dev/null || install gcc libc6-dev
# The GitHub Action's scripts, which have tests, use it.
command -v jq >/dev/null || install jq
command -v cargo >/dev/null || { [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"; } || true
if ! command -v cargo >/dev/null; then
    install rustup || { echo "setup: please install Rust with rustup, then run make again" >&2; exit 2; }
    rustup toolchain install
fi
