#!/usr/bin/env bash
# Installs what the published schema is checked with, ajv and yaml-language-server, into target/schema-tools and
# prints that folder. Ends with status 3 where there is no npm, or it reaches no registry.
set -euo pipefail
cd "$(dirname "$0")/.."
from=tests/schema to=$PWD/target/schema-tools

command -v npm >/dev/null && command -v node >/dev/null || { echo "schema-tools: there is no npm" >&2; exit 3; }
if ! cmp -s $from/package-lock.json "$to/installed"; then
    mkdir -p "$to"
    cp $from/package.json $from/package-lock.json "$to"
    (cd "$to" && npm ci --silent --no-audit --no-fund) >&2 || { echo "schema-tools: npm installed nothing" >&2; exit 3; }
    cp $from/package-lock.json "$to/installed"
fi
echo "$to"
