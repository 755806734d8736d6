#!/usr/bin/env bash
# Builds gatewayctl from the action's own source. Rustup takes the toolchain that the source names, whatever the
# repository that is checked uses.
set -euo pipefail
cd "$ACTION_PATH"
CARGO_TARGET_DIR=$RUNNER_TEMP/gatewayctl-target cargo install --locked --quiet --profile quick --path . --root "$PREFIX"
