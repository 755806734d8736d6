# shellcheck shell=bash
# What the steps of the action share.

# Reads the patterns in $FILES, separated by blanks or line ends, and sets `files` to what they match in the working
# tree: files, and folders that make one configuration each. A pattern that matches nothing stays, and is reported as
# a file that is absent.
expand_files() {
    local pattern patterns matched
    files=()
    read -r -d '' -a patterns <<< "$FILES" || true
    shopt -s nullglob
    # The bash of macOS is older than `**`.
    shopt -s globstar 2>/dev/null || echo "::notice::a pattern with ** finds files one folder down on this runner"
    for pattern in "${patterns[@]}"; do
        case $pattern in
            *[*?[]*)
                # The one place where a pattern is meant to be expanded.
                # shellcheck disable=SC2206
                matched=($pattern)
                files+=("${matched[@]:-$pattern}")
                ;;
            *) files+=("$pattern") ;;
        esac
    done
    shopt -u nullglob
    shopt -u globstar 2>/dev/null || true
}
