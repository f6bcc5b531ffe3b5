#!/usr/bin/env bash
# Every test that needs no network but the package registries. Nextest runs last, so that its summary is the last thing
# said.
. "$(dirname "$0")/lib.sh"

# The trace of an error is where it was made, which its sentences already say; a panic keeps its own.
export RUST_LIB_BACKTRACE=0

scripts/setup.sh test

if [ -f ui/package.json ]; then
    step "The front end's tests" npm --prefix ui test --silent
fi
build_ui

# One build for binaries and tests: with other flags Cargo would build shared dependencies twice. End-to-end tests take
# the binaries from the folder that their own test binary is in.
step "Building the workspace and its tests" cargo build --workspace --bins --tests --locked

if grep -rqE '^\s*//[/!] ```(rust|no_run|should_panic|)$' --include='*.rs' crates src-tauri tests 2>/dev/null; then
    step "The examples in the documentation" cargo test --workspace --doc --locked --quiet
fi

say "Not run here:"
ignored=$(cargo nextest list --workspace --locked --run-ignored only --message-format oneline 2>/dev/null)
[ -z "$ignored" ] || sed 's/^/    ignored test: /' <<<"$ignored"
[ -n "${TEST_POSTGRES_URL:-}" ] || printf '    anything on PostgreSQL: TEST_POSTGRES_URL is not set\n'
printf '    long runs, and peers that must be fetched from outside the package registries\n'

say "The workspace's tests"
exec cargo nextest run --workspace --locked --profile ci
