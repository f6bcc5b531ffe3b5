/* The one registry of actions: it answers keys, fills the palette and the sheet. */
import { untrack } from "svelte";
import { createKeybindingsHandler } from "tinykeys";
import { settings } from "./settings.svelte";

export type Action = {
  words: string;
  group: "Move" | "Decide" | "Go to" | "App";
  /** As tinykeys writes them; the first is the one that is shown. */
  keys: string[];
  run: () => void;
  /** Keys for which this answers true keep their usual meaning. */
  unless?: (keys: string) => boolean;
  /** Whether a held key repeats it. */
  repeats?: boolean;
  /** Keys that do the same where they are pressed, for the sheet only. */
  also?: string[];
  /** Left out of the palette: it only makes sense as a key. */
  keyOnly?: boolean;
};

const editable =
  "input:not([type='radio'], [type='checkbox']), textarea, select, [contenteditable='true']";

function hasModifier(keys: string): boolean {
  return /\$mod|Control|Alt|Meta/.test(keys);
}

class Keys {
  #sets = $state.raw<readonly Action[][]>([]);

  get actions(): Action[] {
    return this.#sets.flat();
  }

  /** Adds actions until the returned function is called: for `onMount`. */
  add(actions: Action[]): () => void {
    untrack(() => (this.#sets = [...this.#sets, actions]));
    return () => {
      untrack(() => (this.#sets = this.#sets.filter((set) => set !== actions)));
    };
  }

  /** The handler for the window; made again when the actions change. */
  handler(): (event: KeyboardEvent) => void {
    const bindings: Record<string, (event: KeyboardEvent) => void> = {};
    for (const action of this.actions) {
      for (const keys of action.keys) {
        bindings[keys] = (event) => {
          if ((event.repeat && !action.repeats) || action.unless?.(keys)) return;
          event.preventDefault();
          action.run();
        };
      }
    }
    const withModifier = createKeybindingsHandler(pick(bindings, hasModifier));
    const single = createKeybindingsHandler(pick(bindings, (keys) => !hasModifier(keys)));
    return (event) => {
      // An overlay listens for itself.
      if (event.defaultPrevented || document.querySelector("[data-overlay]")) return;
      withModifier(event);
      const typing = event.target instanceof Element && event.target.closest(editable);
      if (!typing && settings.singleKeys) single(event);
    };
  }
}

function pick<T>(all: Record<string, T>, keep: (keys: string) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(all).filter(([keys]) => keep(keys)));
}

/** A binding in the letters that are on the keys: "Ctrl K", "g i". */
export function keyWords(keys: string): string {
  const mod = /Mac/.test(navigator.userAgent) ? "⌘" : "Ctrl";
  return keys
    .replace("$mod+", `${mod} `)
    .replace(/^Shift\+(?=[?/])/, "")
    .replace("ArrowDown", "↓")
    .replace("ArrowUp", "↑")
    .replace("Shift+", "Shift ")
    .replace("Escape", "Esc");
}

export const keys = new Keys();
