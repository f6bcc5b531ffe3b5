"""A program with a tray icon, as libayatana-appindicator makes it: the library that stands behind most Linux trays.

Prints one line for each menu item that is pressed.
"""

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("AyatanaAppIndicator3", "0.1")
from gi.repository import AyatanaAppIndicator3 as AppIndicator  # noqa: E402
from gi.repository import Gtk  # noqa: E402

indicator = AppIndicator.Indicator.new("peer", "dialog-information", AppIndicator.IndicatorCategory.APPLICATION_STATUS)
indicator.set_status(AppIndicator.IndicatorStatus.ACTIVE)
indicator.set_title("A tray icon")

menu = Gtk.Menu()
for label in ["2 to decide", "Open", "Snooze_for an hour"]:
    item = Gtk.MenuItem.new_with_label(label)
    item.connect("activate", lambda _, label=label: print(label, flush=True))
    menu.append(item)
menu.get_children()[0].set_sensitive(False)
menu.append(Gtk.SeparatorMenuItem())
paused = Gtk.CheckMenuItem.new_with_label("Pause notifications")
paused.connect("toggled", lambda item: print(f"paused: {item.get_active()}", flush=True))
menu.append(paused)
menu.show_all()
indicator.set_menu(menu)
Gtk.main()
