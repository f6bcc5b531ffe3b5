#!/usr/bin/env bash
# Everything that can be said about the code without running it. Stops at the first step that fails.
. "$(dirname "$0")/lib.sh"

scripts/setup.sh check
build_ui
step "Fetching the crates" cargo fetch --locked --quiet
step "Formatting" cargo fmt --all --check
step "Clippy" cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
step "Documentation" env RUSTDOCFLAGS="-D warnings" \
    cargo doc --workspace --no-deps --document-private-items --locked --quiet
step "Licences, bans and sources (advisories need a network: not checked)" \
    cargo deny --offline --log-level warn check bans licenses sources
step "Unused dependencies" cargo shear
step "The front end's types" npm --prefix ui run --silent check
step "The front end's lints" npm --prefix ui run --silent lint
say "make check: everything passed in ${SECONDS}s"
