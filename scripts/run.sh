#!/usr/bin/env bash
# Sets up what is missing, builds the desktop app and opens it. RELEASE=1 builds it optimised, which takes
# much longer; the default build has its cryptography and database optimised.
. "$(dirname "$0")/lib.sh"

# Where a machine without a screen keeps the app's data and keyring from one run to the next.
KEPT="${XDG_STATE_HOME:-$HOME/.local/state}/countersign/session"
# What such a machine shows: the whole virtual screen, taken again every 10 s.
SCREENSHOT=$ROOT/target/run/screen.png

main() {
    scripts/setup.sh run
    build_ui

    local profile=debug flags=()
    if [ -n "${RELEASE:-}" ]; then profile=release flags=(--release); fi
    step "Building the desktop app (the first time takes 10 to 25 minutes on 2 cores)" \
        cargo build --locked --package countersign "${flags[@]}"
    local app=${CARGO_TARGET_DIR:-target}/$profile/countersign

    if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
        scripts/links.sh "$app"
        say "Opening Countersign"
        exec "$app"
    fi
    say "This machine has no screen (neither DISPLAY nor WAYLAND_DISPLAY is set)."
    say "Starting a private desktop: session bus, unlocked keyring, notifications and a virtual screen. Data stays in $KEPT."
    exec scripts/session.sh --dir "$KEPT" scripts/run.sh --in-session "$app"
}

# Inside scripts/session.sh: open the app, say where it is reached, and stay until it ends.
in_session() {
    local app=$1 log=$ROOT/target/run/app.log from=$SECONDS address= line=
    mkdir -p "$ROOT/target/run"
    : >"$log"
    "$app" --on-this-computer >"$log" 2>&1 &
    local pid=$!

    until [ -n "$address" ] && [ -n "$line" ] && window_is_up; do
        kill -0 "$pid" 2>/dev/null || { tail -n 20 "$log" >&2 && stop "Countersign ended before it was ready; its log is $log"; }
        [ $((SECONDS - from)) -lt 60 ] || { tail -n 20 "$log" >&2 && stop "Countersign was not ready within 60 s; its log is $log"; }
        sleep 0.2
        address=$(sed -n 's/^Agents propose at //p' "$log" | head -n 1)
        line=$(sed -n "s/^A line that proposes, with an agent's key, is in //p" "$log" | head -n 1)
    done
    sleep 2
    take_screenshot

    say "Countersign is open."
    say "Agents propose at   $address"
    say "Try it with         sh $line   (it has an agent's key: for your eyes only)"
    say "The screen is in    $SCREENSHOT (taken again every 10 s)"
    say "The log is in       $log"
    say "Ctrl-C ends it."
    while sleep 10; do take_screenshot; done &
    wait "$pid"
}

window_is_up() { grep -q '"Countersign' <<<"$(xwininfo -root -tree)"; }

# Under another name first, so that whoever looks never sees half a picture.
take_screenshot() { import -window root "$SCREENSHOT.new.png" && mv "$SCREENSHOT.new.png" "$SCREENSHOT"; }

if [ "${1:-}" = --in-session ]; then
    in_session "$2"
else
    main
fi
