#!/usr/bin/env bash
# Measures release builds; the machine's load and its own limit of durable writes are printed beside every figure.
# With names (b4 b6) only those, and with another number than the usual one where they have one (b13=1000).
. "$(dirname "$0")/lib.sh"

scripts/setup.sh test
build_ui
step "Building the release (the first time takes 20 to 40 minutes on 2 cores)" cargo build --release --locked \
    --package countersign --package countersign-server --package countersign-verify --package countersign-e2e --bins
say "Measuring; whatever else runs on this machine is in the figures"
exec "${CARGO_TARGET_DIR:-target}/release/countersign-bench" "$@"
