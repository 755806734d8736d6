#!/usr/bin/env bash
# Says in one comment on the pull request what the change of each file does to traffic. The comment is known by a marker
# in its first line and by its author, so that no other comment is ever changed.
set -euo pipefail
# shellcheck source=scripts/action/lib.sh
. "$(dirname "$0")/lib.sh"
expand_files

flags=()
if [ "$KONG_STRICT" = true ]; then flags+=(--kong-strict); fi
base=$(mktemp -d)
report=$(mktemp)
differs=false

# Writes a file or folder as it was into $base; fails if it was not there.
checkout() {
    git archive "$BASE" -- "$1" 2>/dev/null | tar -x -C "$base" 2>/dev/null && [ -e "$base/$1" ]
}

git fetch --quiet --depth 1 origin "$BASE"
for file in "${files[@]}"; do
    if [ ! -e "$file" ]; then continue; fi
    if ! checkout "$file"; then
        printf '## `%s`\n\nThe file is new: there is nothing to compare it with.\n\n' "$file" >> "$report"
        differs=true
        continue
    fi
    status=0
    gatewayctl diff ${flags[@]+"${flags[@]}"} "$base/$file" "$file" --impact --format markdown --exit-code \
        > "$report.one" 2> "$report.errors" || status=$?
    case $status in
        0) ;;
        1)
            # Not valid before or now: the findings are printed in place of the difference.
            if gatewayctl validate ${flags[@]+"${flags[@]}"} --quiet "$base/$file" > /dev/null 2>&1 &&
                gatewayctl validate ${flags[@]+"${flags[@]}"} --quiet "$file" > /dev/null 2>&1; then
                { printf '## `%s`\n\n' "$file"; cat "$report.one"; echo; } >> "$report"
            else
                printf '## `%s`\n\nNot valid before or after the change: there is nothing to compare.\n\n' "$file" \
                    >> "$report"
            fi
            differs=true
            ;;
        *)
            cat "$report.errors" >&2
            printf '## `%s`\n\nCould not be compared; the log says why.\n\n' "$file" >> "$report"
            differs=true
            ;;
    esac
done
while IFS= read -r file; do
    for known in "${files[@]}"; do
        # A file of a folder that was compared as a whole.
        if [ -d "$known" ] && [[ $file == "${known%/}"/* ]]; then continue 2; fi
    done
    printf '## `%s`\n\nThe file is removed, with all that it served.\n\n' "$file" >> "$report"
    differs=true
done < <(read -r -d '' -a patterns <<< "$FILES" || true
    git diff --name-only --no-renames --diff-filter=D "$BASE" -- "${patterns[@]/#/:(glob)}")

echo "differs=$differs" >> "$GITHUB_OUTPUT"
cat "$report" >> "$GITHUB_STEP_SUMMARY"

# The patterns tell comments of several uses in one pull request apart; nothing in them may end the marker.
marker="<!-- gatewayctl impact: $(printf '%s' "$FILES" | git hash-object --stdin) -->"
# shellcheck disable=SC2016
query='query($owner: String!, $name: String!, $number: Int!, $endCursor: String) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) {
    comments(first: 100, after: $endCursor) {
      pageInfo { hasNextPage endCursor }
      nodes { databaseId body viewerDidAuthor }
    } } } }'
find='.data.repository.pullRequest.comments.nodes[]
  | select(.viewerDidAuthor and (.body | startswith($ENV.MARKER))) | .databaseId'
if ! own=$(MARKER=$marker gh api graphql --paginate -f query="$query" -f owner="${REPOSITORY%/*}" \
    -f name="${REPOSITORY#*/}" -F number="$NUMBER" --jq "$find"); then
    echo "::warning::cannot read the comments; give the job the permission 'pull-requests: write'"
    exit 0
fi
own=${own%%$'\n'*}
if [ "$differs" = false ]; then
    if [ -z "$own" ]; then exit 0; fi
    printf 'The change does nothing to traffic.\n' > "$report"
fi
# 65536 characters are the most that a comment may have.
{ printf '%s\n' "$marker"; head -c 60000 "$report"; } > "$report.body"
comments=repos/$REPOSITORY/issues
if [ -n "$own" ]; then
    gh api --silent -X PATCH "$comments/comments/$own" -F body=@"$report.body"
else
    gh api --silent -X POST "$comments/$NUMBER/comments" -F body=@"$report.body"
fi || echo "::warning::cannot comment; give the job the permission 'pull-requests: write'"
