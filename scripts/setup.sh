#!/usr/bin/env bash
# Installs what building needs, on a machine that may have none of it: a C compiler (for the crypto library and the
# allocator), the programs named as arguments, and the Rust toolchain that rust-toolchain.toml names. Does nothing where
# all is there, and says what is missing where it cannot be installed.
set -euo pipefail
cd "$(dirname "$0")/.."

missing() {
    echo "setup: $1 is missing and cannot be installed from here: install it, then run make again" >&2
    exit 2
}

root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "setup: $1 needs root, and there is no sudo" >&2
        return 1
    fi
}

manager=none
for known in apt-get dnf zypper apk brew; do
    if command -v "$known" >/dev/null; then manager=$known && break; fi
done

# The packages that bring a program.
packages() {
    case $manager:$1 in
        apt-get:cc) echo gcc libc6-dev ;;
        apk:cc) echo gcc musl-dev ;;
        brew:cc) echo gcc ;;
        *:cc) echo gcc glibc-devel ;;
        apt-get:musl-gcc) echo musl-tools ;;
        *) echo "$1" ;;
    esac
}

install() {
    local names
    read -r -a names <<< "$(packages "$1")"
    case $manager in
        apt-get)
            root apt-get update -qq &&
                root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${names[@]}" >/dev/null
            ;;
        dnf) root dnf install -y -q "${names[@]}" ;;
        zypper) root zypper --quiet --non-interactive install "${names[@]}" ;;
        apk) root apk add -q "${names[@]}" ;;
        brew) brew install -q "${names[@]}" ;;
        none) return 1 ;;
    esac
}

command -v cc >/dev/null || install cc || missing "a C compiler (cc, with the headers of the C library)"
for program in "$@"; do
    command -v "$program" >/dev/null || install "$program" || missing "$program"
done

# Rustup's folder, which a shell knows only once its profile has been read; the Makefile looks there too.
PATH=$PATH:$HOME/.cargo/bin
rust=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
if ! command -v cargo >/dev/null; then
    install rustup || missing "Rust $rust (https://rustup.rs)"
    rustup toolchain install "$rust" --profile minimal --component rustfmt,clippy
fi
# Rustup downloads the toolchain here if need be; a distribution's own compiler is of the version that it is.
found=$(rustc --version) || missing "Rust $rust (https://rustup.rs)"
found=${found#rustc }
found=${found%% *}
if [ "$(printf '%s\n' "$rust" "$found" | sort -V | head -n 1)" != "$rust" ]; then
    missing "Rust $rust (https://rustup.rs; this is $found)"
fi
