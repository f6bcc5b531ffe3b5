#!/usr/bin/env bash
# Plays the story unattended in a real window, printing each step; screenshots go to target/story/.
. "$(dirname "$0")/lib.sh"

scripts/setup.sh test
build_ui
step "Building the workspace and its tests" cargo build --workspace --bins --tests --locked

export COUNTERSIGN_STORY_DIR=$ROOT/target/story
rm -rf "$COUNTERSIGN_STORY_DIR"
mkdir -p "$COUNTERSIGN_STORY_DIR"
say "The story (screenshots: target/story/)"
exec cargo nextest run --workspace --locked --profile ci --no-capture -E 'package(countersign-e2e) & test(/^story::/)'
