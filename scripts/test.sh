#!/usr/bin/env bash
# Every test that needs no network but the package registries. Nextest runs last, so that its summary is the last thing
# said.
. "$(dirname "$0")/lib.sh"

# The trace of an error is where it was made, which its sentences already say; a panic keeps its own.
export RUST_LIB_BACKTRACE=0

scripts/setup.sh test

step "The front end's tests" npm --prefix ui test --silent
build_ui

# One build for binaries and tests: with other flags Cargo would build shared dependencies twice. End-to-end tests take
# the binaries from the folder that their own test binary is in.
step "Building the workspace and its tests" cargo build --workspace --bins --tests --locked

# Nextest runs no examples, and without any the tool for them only prints noise.
has_examples() {
    find crates src-tauri tests -name '*.rs' -print0 | xargs -0 awk '
        FNR == 1 { fenced = 0 }
        /^[ \t]*\/\/[\/!] *```/ {
            if (!fenced && /```(rust|no_run|should_panic|compile_fail)?[ \t]*$/) found = 1
            fenced = !fenced
        }
        END { exit !found }'
}
if has_examples; then
    step "The examples in the documentation" cargo test --workspace --doc --locked --quiet
fi

# Ten searches of 10 s, two at a time on two cores.
scripts/fuzz.sh

say "Not run here:"
ignored=$(cargo nextest list --workspace --locked --cargo-quiet --run-ignored only --message-format oneline)
[ -z "$ignored" ] || sed 's/^/    ignored test: /' <<<"$ignored"
[ -n "${TEST_POSTGRES_URL:-}" ] || printf '    PostgreSQL: TEST_POSTGRES_URL is not set\n'
printf '    long runs, and peers that the package registries do not carry\n'

say "The workspace's tests"
exec cargo nextest run --workspace --locked --profile ci
