# shellcheck shell=bash
# What the scripts share. Sourced, never run; it moves to the repository's root.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
export ROOT

# Cargo installs its tools here; a fresh shell may not have it on its PATH.
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

say() { printf '==> %s\n' "$*"; }

# One clear sentence and the end.
stop() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# step TITLE COMMAND…: says what begins, and how long it took or that it failed.
step() {
    local title=$1 from=$SECONDS
    shift
    say "$title"
    if "$@"; then
        printf '    %s: %ds\n' "$title" $((SECONDS - from))
    else
        local code=$?
        printf 'error: "%s" failed after %ds\n' "$title" $((SECONDS - from)) >&2
        return "$code"
    fi
}

# Builds the front end when a source of it is newer than the last build. Everything that compiles the app needs it: the
# app embeds ui/dist at compile time.
build_ui() {
    if [ -f ui/dist/index.html ] && [ -z "$(find ui -newer ui/dist/index.html -type f \
        -not -path 'ui/node_modules/*' -not -path 'ui/dist/*' -print -quit)" ]; then
        return 0
    fi
    step "Building the front end" npm --prefix ui run --silent build -- --logLevel warn
    # Vite may leave an unchanged index.html with its old time.
    touch ui/dist/index.html
}
