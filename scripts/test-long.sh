#!/usr/bin/env bash
# The families of tests that count their cases, with the long count. A test asks for it with COUNTERSIGN_LONG.
. "$(dirname "$0")/lib.sh"

scripts/setup.sh test

say "The long families"
COUNTERSIGN_LONG=1 exec cargo nextest run -p countersign-verify --locked --profile long
