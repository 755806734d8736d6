#!/usr/bin/env bash
# Puts gatewayctl into $PREFIX/bin: the binary of a release, checked against the release's checksums, else one that was
# built from the action's own source (`build.sh` then does that).
set -euo pipefail

case "$RUNNER_OS-$RUNNER_ARCH" in
    Linux-X64) target=x86_64-unknown-linux-musl ;;
    Linux-ARM64) target=aarch64-unknown-linux-musl ;;
    macOS-X64) target=x86_64-apple-darwin ;;
    macOS-ARM64) target=aarch64-apple-darwin ;;
    *)
        echo "::error::gatewayctl has no release for $RUNNER_OS on $RUNNER_ARCH"
        exit 2
        ;;
esac

# The release of the action's own tag, where it was used by one; else the newest.
version=$VERSION
if [ -z "$version" ] && [[ ${ACTION_REF:-} =~ ^v[0-9]+\.[0-9]+\.[0-9]+ ]]; then version=$ACTION_REF; fi

folder=$(mktemp -d)
archive=gatewayctl-$target.tar.gz
download=(gh release download --repo "$REPOSITORY" --dir "$folder" --pattern "$archive" --pattern SHA256SUMS)
if [ -n "$version" ]; then download=(gh release download "$version" "${download[@]:3}"); fi
if ! "${download[@]}"; then
    if [ -n "$VERSION" ]; then
        echo "::error::there is no release $VERSION of $REPOSITORY for $target"
        exit 2
    fi
    echo "::notice::no release can be downloaded: gatewayctl is built from the action's source, and cached"
    echo "build=true" >> "$GITHUB_OUTPUT"
    exit 0
fi
(cd "$folder" && grep " $archive\$" SHA256SUMS | shasum -a 256 --check --status) || {
    echo "::error::$archive is not the file that the release's SHA256SUMS names"
    exit 2
}
tar -xzf "$folder/$archive" -C "$folder"
mkdir -p "$PREFIX/bin"
install -m 755 "$folder/gatewayctl-$target/gatewayctl" "$PREFIX/bin/gatewayctl"
echo "$PREFIX/bin" >> "$GITHUB_PATH"
