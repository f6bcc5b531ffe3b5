#!/usr/bin/env bash
# Has countersign:// links of this user's desktop open a build of this folder. Another entry, as an installed package
# brings one, is left alone.
#
#   scripts/links.sh APP      (a second time changes the path)
#   scripts/links.sh --off
. "$(dirname "$0")/lib.sh"

ENTRY=countersign-build.desktop
SCHEME=x-scheme-handler/countersign
folder=${XDG_DATA_HOME:-$HOME/.local/share}/applications

[ $# = 1 ] || stop "usage: scripts/links.sh APP | --off"
if [ "$1" = --off ]; then
    rm -f "$folder/$ENTRY"
    exit 0
fi
app=$(realpath "$1")
current=$(LC_ALL=C gio mime "$SCHEME" 2>/dev/null | sed -n 's/^Default application.*: //p') || true
case $current in
    '' | "$ENTRY") ;;
    *) exit 0 ;;
esac
mkdir -p "$folder"
cat >"$folder/$ENTRY" <<END
[Desktop Entry]
Type=Application
Name=Countersign (build)
Exec="$app" %u
NoDisplay=true
MimeType=$SCHEME;
END
gio mime "$SCHEME" "$ENTRY" >/dev/null
