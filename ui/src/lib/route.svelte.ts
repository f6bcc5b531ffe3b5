/* Which page is open, and which overlay. A desktop window has no address bar, so this is all there is. */
import type { InboxView } from "./bindings";

export type Page =
  "inbox" | "in_progress" | "done" | "radar" | "tasks" | "connections" | "people" | "settings";
export type Overlay = "request" | "keys" | "palette" | "stop" | null;

export type PageEntry = { page: Page; words: string; icon: string; key: string };

export const pages: readonly PageEntry[] = [
  { page: "inbox", words: "Inbox", icon: "inbox", key: "g i" },
  { page: "in_progress", words: "In progress", icon: "progress", key: "g p" },
  { page: "done", words: "Done", icon: "done", key: "g h" },
  { page: "radar", words: "Radar", icon: "radar", key: "g r" },
  { page: "tasks", words: "Tasks", icon: "tasks", key: "g t" },
  { page: "connections", words: "Connections", icon: "plug", key: "g c" },
  { page: "people", words: "People & devices", icon: "people", key: "g d" },
  { page: "settings", words: "Settings", icon: "gear", key: "g s" },
];

/** The list that a page shows, for the three pages that are lists of proposals. */
export const viewOf: Partial<Record<Page, InboxView>> = {
  inbox: "to_decide",
  in_progress: "in_progress",
  done: "done",
};

class Route {
  page = $state<Page>("inbox");
  overlay = $state<Overlay>(null);

  go(page: Page) {
    this.page = page;
    this.overlay = null;
  }
}

export const route = new Route();
