#!/usr/bin/env bash
# Makes the archive of a release: gatewayctl-TARGET.tar.gz with the binary, the licence, manual pages and completions.
set -euo pipefail
if [ $# != 3 ]; then
    echo "usage: archive.sh BINARY TARGET FOLDER" >&2
    exit 2
fi
binary=$1 target=$2 folder=$3
stage=$(mktemp -d)
trap 'rm -r "$stage"' EXIT
name=gatewayctl-$target
mkdir -p "$stage/$name" "$folder"
install -m 755 "$binary" "$stage/$name/gatewayctl"
cp -R LICENSE README.md CHANGELOG.md man completions "$stage/$name/"
tar -C "$stage" -czf "$folder/$name.tar.gz" "$name"
