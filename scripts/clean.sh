#!/usr/bin/env bash
# Removes what was built here. Installed system packages and cargo tools stay.
. "$(dirname "$0")/lib.sh"

scripts/links.sh --off
say "Removing target/, ui/dist and what npm has installed"
cargo clean --quiet
rm -rf target ui/dist ui/node_modules tests/peers/oidc/node_modules gen
