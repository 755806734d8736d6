#!/bin/sh
# Finds words that this codebase does not use, and prints what to write instead (CONTRIBUTING.md, Words).
#
#   scripts/words.sh [PATHSPEC...]     default: the documents that are written by hand, and the code
#
# Words match without case, in prose and as parts of snake_case names. A word next to a hyphen belongs to a name
# (`--kill-whom`) and passes, as do lines with the marker `words: allowed`, for example tests that quote a word. Rows of
# the README that are generated from the code are skipped: the code is the place to change them.
# Exit status: 0 none found, 1 some found, 2 could not run.
cd "$(dirname "$0")/.." || exit 2
DOCUMENTS=':(glob)docs/*.md :!docs/settings.md README.md CONTRIBUTING.md CHANGELOG.md'
# The conformance cases are excluded: they are a copy of the reference suite, and quote Kong and prompts of users.
CODE='src crates tests :!tests/conformance'
set -f
[ $# -gt 0 ] || set -- $DOCUMENTS $CODE

found=0
while IFS='|' read -r words instead; do
    pattern="(^|[^a-z-])($(echo "$words" | tr ',' '|'))([^a-z-]|\$)"
    lines=$(git grep -niE -e "$pattern" --and --not -e 'words: allowed' --and --not -e '^\|.*\]\(docs/reference/' -- "$@")
    [ $? -le 1 ] || exit 2
    [ -n "$lines" ] || continue
    found=1
    echo "$words: write instead: $instead"
    printf '%s\n' "$lines" | sed 's/^/    /'
done <<'WORDS'
nobody,somebody,anybody,whoever,whom,who|the actor: the client, the caller, a worker, the kernel
told,tells?,telling|sent, reported, logged, parsed, a timestamp named *_at
speaks?,spoken,believed?|uses, protocol, trusted
farewell|graceful close, GOAWAY
patience|timeout, deadline, limit
backroom|reload thread
stash,stashed|extensions
house|codebase
story,stories|explanation
manners|format, origin
anew|again
at once|immediately
WORDS
exit $found
