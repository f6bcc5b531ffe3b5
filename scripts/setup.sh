#!/usr/bin/env bash
# Installs what `make run`, `make test`, `make check` or scripts/fuzz.sh needs and this machine lacks. Safe to run again:
# with everything there it only looks, and takes about a second.
. "$(dirname "$0")/lib.sh"

goal=${1:-test}
case $goal in
    run | test | check | fuzz) ;;
    *) stop "usage: scripts/setup.sh [run|test|check|fuzz]" ;;
esac

# What has neither a window nor a keychain is built with these; libFuzzer is C++ and comes as a crate.
CORE_PACKAGES=(build-essential pkg-config ca-certificates git libssl-dev)
# The app, its libraries and the front end are built with these besides.
APP_PACKAGES=(
    file patchelf curl
    libwebkit2gtk-4.1-dev libayatana-appindicator3-dev librsvg2-dev libxdo-dev libdbus-1-dev
    fonts-inter fonts-noto-core
)
# A desktop session where there is no screen: display, session bus, keyring, notifications, tray.
SESSION_PACKAGES=(
    xvfb x11-utils x11-apps xauth openbox imagemagick
    dbus gnome-keyring libsecret-tools dunst libnotify-bin haskell-status-notifier-item-utils
    procps util-linux
)
# The tests drive the window and run real peers.
TEST_PACKAGES=(webkit2gtk-driver xdotool openssl python3 python3-venv python3-gi gir1.2-ayatanaappindicator3-0.1)

# The versions that build with Rust 1.95. A nextest or deny that is already there is left alone.
NEXTEST_VERSION=0.9.143
DENY_VERSION=0.20.2
SHEAR_VERSION=1.9.1
TAURI_DRIVER_VERSION=2.1.0

main() {
    require_rust
    [ "$goal" = fuzz ] || require_node
    look_at_the_system
    install_packages
    [ "$goal" != fuzz ] || return 0
    node_modules ui "Installing the front end's packages"
    case $goal in
        check)
            cargo_tool cargo-deny "$DENY_VERSION"
            exact_cargo_tool cargo-shear "$SHEAR_VERSION"
            ;;
        test)
            cargo_tool cargo-nextest "$NEXTEST_VERSION"
            exact_cargo_tool tauri-driver "$TAURI_DRIVER_VERSION"
            install_peers
            ;;
    esac
}

# Neither Rust 1.95 nor Node 20 is in Debian 12, so they are asked for and not installed.
require_rust() {
    local rust
    rust=$(rustc --version 2>/dev/null | awk '{print $2}') || true
    [ -n "$rust" ] && command -v cargo >/dev/null ||
        stop "Countersign needs Rust 1.95, and no rustc and cargo were found: install them with rustup (https://rustup.rs), then run this again."
    at_least "$rust" 1.95.0 || stop "Countersign needs Rust 1.95, and this is Rust $rust: run 'rustup toolchain install 1.95.0', then run this again."
    if [ "$goal" = check ]; then
        cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1 ||
            stop "'make check' needs clippy and rustfmt: run 'rustup component add clippy rustfmt', then run this again."
    fi
}

require_node() {
    local node
    node=$(node --version 2>/dev/null) || true
    [ -n "$node" ] && command -v npm >/dev/null ||
        stop "Countersign needs Node 20 with npm, and none was found: install Node 20 (https://nodejs.org), then run this again."
    at_least "${node#v}" 20.19.0 || stop "Countersign needs Node 20.19 or newer, and this is Node ${node#v}: install a newer Node 20, then run this again."
}

at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

look_at_the_system() {
    local system=
    [ -r /etc/os-release ] && system=$(. /etc/os-release && echo "${ID:-}-${VERSION_ID:-}")
    case $system in
        debian-12) ;;
        ubuntu-24.04) say "Ubuntu 24.04 should work, but is untested." ;;
        *)
            command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
                stop "Countersign's set-up knows Debian 12 (Ubuntu 24.04 untested); on this system install the packages that scripts/setup.sh names yourself."
            say "This system (${system:-unknown}) is untested; Countersign is tested on Debian 12."
            ;;
    esac
}

install_packages() {
    local wanted=("${CORE_PACKAGES[@]}")
    [ "$goal" = fuzz ] || wanted+=("${APP_PACKAGES[@]}")
    case $goal in
        run) [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || wanted+=("${SESSION_PACKAGES[@]}") ;;
        test) wanted+=("${SESSION_PACKAGES[@]}" "${TEST_PACKAGES[@]}") ;;
    esac

    local missing=() package
    local installed
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null | awk '$1 == "installed" {print $2}') || true
    for package in "${wanted[@]}"; do
        grep -qxF "$package" <<<"$installed" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || stop "system packages are missing and sudo is not there: as root, run 'apt-get install ${missing[*]}', then run this again."
        as_root=(sudo)
    fi
    step "Installing ${#missing[@]} system packages: ${missing[*]}" apt_install "${as_root[@]}"
}

# apt_install [sudo]: quiet, unless it fails.
apt_install() {
    local log
    log=$(mktemp)
    if ! { "$@" apt-get update && "$@" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# node_modules FOLDER TITLE
node_modules() {
    # npm writes this file last, so it tells when the modules were installed.
    local installed=$1/node_modules/.package-lock.json
    if [ -f "$installed" ] && [ ! "$1/package-lock.json" -nt "$installed" ] && [ ! "$1/package.json" -nt "$installed" ]; then
        return 0
    fi
    step "$2" locked_node_modules "$1"
    touch "$installed"
}

# Not `npm ci`: it refuses a lockfile that lacks the optional binaries of other systems, and a registry's mirror need not
# carry those. The second command says whether anything but the locked versions came in.
locked_node_modules() {
    npm --prefix "$1" install --no-save --no-audit --no-fund --loglevel=error && node scripts/locked-modules.mjs "$1"
}

# cargo_tool NAME VERSION: any version that is there will do.
cargo_tool() {
    command -v "$1" >/dev/null || build_tool "$1" "$2"
}

# exact_cargo_tool NAME VERSION: only that one will do, in Cargo's own list of what it installed.
exact_cargo_tool() {
    if ! command -v "$1" >/dev/null || ! grep -qxF "$1 v$2:" <<<"$(cargo install --list)"; then build_tool "$1" "$2"; fi
}

build_tool() {
    # Rarely run and never slow to run: compile them quickly. Not into this project's target folder.
    step "Building $1 $2 from the package registry (minutes, once)" env -u CARGO_TARGET_DIR \
        CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        cargo install "$1" --version "=$2" --locked --force --quiet
}

# The tests' peers: an OpenID provider, and Python packages in the versions and with the hashes that
# tests/peers/requirements.txt names.
install_peers() {
    node_modules tests/peers/oidc "Installing the tests' OpenID provider"
    local venv=target/peers/venv
    cmp -s tests/peers/requirements.txt "$venv/requirements.txt" && return 0
    step "Installing the tests' mail server" make_venv "$venv"
}

make_venv() {
    rm -rf "$1"
    /usr/bin/python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r tests/peers/requirements.txt
    cp tests/peers/requirements.txt "$1/requirements.txt"
}

main
