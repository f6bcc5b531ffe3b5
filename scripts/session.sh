#!/usr/bin/env bash
# Runs a command in a private desktop without a screen: its own home, session bus, display, unlocked keyring,
# notification daemon, tray watcher and window manager. When the command ends, everything that was started ends too.
#
#   scripts/session.sh [--dir FOLDER] [--screen 1400x900] COMMAND…
#
# With --dir the folder (home, data, logs) is kept, and a second run finds what the first one stored.
. "$(dirname "$0")/lib.sh"

screen=1400x900
folder=
while [ $# -gt 0 ]; do
    case $1 in
        --dir) folder=$2 && shift 2 ;;
        --screen) screen=$2 && shift 2 ;;
        -*) stop "usage: scripts/session.sh [--dir FOLDER] [--screen 1400x900] COMMAND…" ;;
        *) break ;;
    esac
done
[ $# -gt 0 ] || stop "usage: scripts/session.sh [--dir FOLDER] [--screen 1400x900] COMMAND…"
for program in Xvfb dbus-daemon gnome-keyring-daemon dunst status-notifier-watcher openbox setpriv xdpyinfo; do
    command -v "$program" >/dev/null || stop "$program is missing: run 'scripts/setup.sh test', then run this again."
done

temporary=
if [ -z "$folder" ]; then
    temporary=$(mktemp -d "${TMPDIR:-/tmp}/countersign-session.XXXXXX")
    folder=$temporary
fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# A socket's path has at most 107 bytes, so the runtime folder is short whatever FOLDER is.
runtime=$(mktemp -d /tmp/cs-run.XXXXXX)
chmod 700 "$folder" "$runtime"

# Every process of this session inherits this, and the last thing done is to end those that still carry it.
COUNTERSIGN_SESSION="$$-$(date +%s%N)"
export COUNTERSIGN_SESSION
export HOME="$folder/home" XDG_RUNTIME_DIR="$runtime"
export XDG_CONFIG_HOME="$folder/config" XDG_DATA_HOME="$folder/data" XDG_CACHE_HOME="$folder/cache" XDG_STATE_HOME="$folder/state"
mkdir -p "$HOME" "$XDG_CONFIG_HOME" "$XDG_DATA_HOME" "$XDG_CACHE_HOME" "$XDG_STATE_HOME" "$folder/log"
unset WAYLAND_DISPLAY XAUTHORITY DBUS_SESSION_BUS_ADDRESS
# No accessibility bus: GTK would start one, and it outlives the session.
export NO_AT_BRIDGE=1 GTK_A11Y=none

command_group=

members() {
    grep -lszxF "COUNTERSIGN_SESSION=$COUNTERSIGN_SESSION" /proc/[0-9]*/environ | cut -d / -f 3 | grep -vxF -e "$$" -e "$BASHPID"
}

end_session() {
    local code=$? pid
    trap - EXIT
    trap '' INT TERM HUP
    # The command first, while it still has a desktop to say goodbye to; then the rest, newest first.
    if [ -n "$command_group" ]; then kill -TERM -- "-$command_group" 2>/dev/null && wait "$command_group" 2>/dev/null; fi
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill -TERM "${pids[i]}" 2>/dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    for pid in $(members); do kill -KILL "$pid" 2>/dev/null; done
    rm -rf "$runtime" ${temporary:+"$temporary"}
    exit "$code"
}

pids=()
# start NAME PROGRAM…: a part of the desktop, which dies with this script even if that is killed.
start() {
    local name=$1
    shift
    setpriv --pdeathsig KILL "$@" >"$folder/log/$name.log" 2>&1 </dev/null &
    pids+=($!)
}

# await WHAT COMMAND…: until it succeeds, 15 s at most.
await() {
    local what=$1 tries=0
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -ge 300 ]; then
            tail -n 5 "$folder"/log/*.log >&2
            stop "$what did not start within 15 s"
        fi
        sleep 0.05
    done
}

owned() {
    grep -qF 'boolean true' <<<"$(dbus-send --session --print-reply --dest=org.freedesktop.DBus / \
        org.freedesktop.DBus.NameHasOwner "string:$1")"
}

set +e
set -m
trap end_session EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

start xvfb Xvfb -displayfd 3 -screen 0 "${screen}x24" -nolisten tcp -noreset 3>"$runtime/display"
await Xvfb test -s "$runtime/display"
DISPLAY=:$(cat "$runtime/display")
export DISPLAY

start dbus dbus-daemon --config-file="$ROOT/tests/window/session-bus.conf" --nofork --nopidfile --address="unix:path=$runtime/bus"
export DBUS_SESSION_BUS_ADDRESS="unix:path=$runtime/bus"
await "the session bus" owned org.freedesktop.DBus

# The password must not be empty: with an empty one there is no login collection and every write fails.
printf 'countersign\n' >"$runtime/password"
setpriv --pdeathsig KILL gnome-keyring-daemon --foreground --unlock --components=secrets \
    <"$runtime/password" >"$folder/log/keyring.log" 2>&1 &
pids+=($!)
start openbox openbox
start dunst dunst -config "$ROOT/tests/window/dunstrc"
start tray status-notifier-watcher
await "the keyring" owned org.freedesktop.secrets
await "the notification daemon" owned org.freedesktop.Notifications
await "the tray's watcher" owned org.kde.StatusNotifierWatcher
rm -f "$runtime/password"

setpriv --pdeathsig TERM "$@" <&0 &
command_group=$!
wait "$command_group"
code=$?
# Nothing is left in it to be told to end, unless it left children behind.
exit "$code"
