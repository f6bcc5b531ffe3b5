#!/usr/bin/env bash
# The families of tests that count their cases, with the long count. A test asks for it with COUNTERSIGN_LONG.
. "$(dirname "$0")/lib.sh"

scripts/setup.sh test

# Half an hour for each reader, and from elsewhere each time.
FUZZ_SECONDS=${FUZZ_SECONDS:-1800} SEED=$((RANDOM + 1)) scripts/fuzz.sh

step "Building the programs that are killed" cargo build -p countersign-server -p countersign-verify -p countersign-e2e --bins --profile long --locked

say "The long families"
COUNTERSIGN_LONG=1 exec cargo nextest run -p countersign-domain -p countersign-tools -p countersign-server -p countersign-engine -p countersign-verify -p countersign-replica -p countersign-fuzz -p countersign-e2e --locked --cargo-profile long --profile long \
    -E 'binary(protocol) or test(mutations::) or binary(simulation) or package(countersign-verify) or package(countersign-fuzz) or test(damage::) or test(display::) or binary(secrets) or binary(faults)'
