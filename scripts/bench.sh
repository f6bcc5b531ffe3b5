#!/usr/bin/env bash
# Measures release builds; the machine's load and its own limit of durable writes are printed beside every figure.
. "$(dirname "$0")/lib.sh"

scripts/setup.sh run
step "Building the release" cargo build --release --locked --package countersign-server --package countersign-e2e --bins
say "Measuring; whatever else runs on this machine is in the figures"
exec "${CARGO_TARGET_DIR:-target}/release/countersign-bench" "$@"
