#!/usr/bin/env bash
# Provides the programs prometheus and promtool for the test that queries a real Prometheus: from PATH, or from Debian's
# package, unpacked below target/ so that no service is installed. Where neither is possible, the test is skipped, and this
# script says so.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=target/prometheus

if command -v prometheus >/dev/null && command -v promtool >/dev/null; then exit; fi
if [ -x "$folder/usr/bin/prometheus" ] && [ -x "$folder/usr/bin/promtool" ]; then exit; fi

root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else return 1; fi
}

# As root, apt would download as a user that cannot write here, and warns.
download() {
    (cd "$folder" && apt-get download -qq -o APT::Sandbox::User=root prometheus)
}

unpack() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    mkdir -p "$folder"
    download 2>/dev/null || { root apt-get update -qq && download; } || return 1
    dpkg-deb --extract "$folder"/prometheus_*.deb "$folder"
}

if ! unpack; then
    echo "setup: prometheus cannot be installed from here: the test with a real Prometheus is SKIPPED" >&2
fi
