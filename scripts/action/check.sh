#!/usr/bin/env bash
# Annotates the lines concerned, once each, and fails as the inputs ask for.
set -euo pipefail
# shellcheck source=scripts/action/lib.sh
. "$(dirname "$0")/lib.sh"
expand_files

# Lint reports all that validate does, and more.
check=(gatewayctl validate --each)
if [ "$LINT" = true ]; then check=(gatewayctl lint --each); fi
if [ "$LINT" = true ] && [ -n "$RULESET" ]; then check+=(--ruleset "$RULESET"); fi
if [ "$STRICT" = true ]; then check+=(--strict); fi
if [ "$KONG_STRICT" = true ]; then check+=(--kong-strict); fi
if [ -n "$SARIF" ]; then
    # A document for each file; code scanning takes one run.
    { "${check[@]}" --format sarif "${files[@]}" || true; } | jq --slurp '.[0] * { runs: [.[0].runs[0] * {
        tool: { driver: { rules: (map(.runs[].tool.driver.rules[]) | unique_by(.id)) } },
        results: map(.runs[].results[] | del(.ruleIndex)) }] }' > "$SARIF"
fi
"${check[@]}" --format github "${files[@]}"
