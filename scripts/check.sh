#!/usr/bin/env bash
# Everything that can be said about the code without running it. Stops at the first step that fails.
. "$(dirname "$0")/lib.sh"

# A document that names a test which is gone would promise what nobody checks.
named_tests() {
    local name missing=0
    while read -r name; do
        grep -rqF "fn $name(" crates src-tauri tests --include='*.rs' || { say "docs/ names the test $name, and there is none" && missing=1; }
    done < <(grep -ohE '`[a-z0-9_]{12,}`' docs/weaknesses.md docs/guarantees.md | tr -d '`' | sort -u)
    return "$missing"
}

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
step "Tests that the documents name" named_tests
say "make check: everything passed in ${SECONDS}s"
