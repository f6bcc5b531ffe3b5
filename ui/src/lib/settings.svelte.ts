/* How this window looks and listens. Kept in the web view, because no rule depends on it. */

export type Theme = "system" | "light" | "dark";
export type Density = "comfortable" | "compact";

type Stored = { theme: Theme; density: Density; singleKeys: boolean };

const key = "countersign.settings";
const defaults: Stored = { theme: "system", density: "comfortable", singleKeys: true };

function read(): Stored {
  try {
    return { ...defaults, ...(JSON.parse(localStorage.getItem(key) ?? "{}") as Partial<Stored>) };
  } catch {
    return { ...defaults };
  }
}

class Settings {
  #stored = $state(read());

  get theme() {
    return this.#stored.theme;
  }
  set theme(theme: Theme) {
    this.#stored.theme = theme;
    this.#keep();
  }

  get density() {
    return this.#stored.density;
  }
  set density(density: Density) {
    this.#stored.density = density;
    this.#keep();
  }

  /** Whether single letters act (WCAG 2.1.4 asks for an off switch). */
  get singleKeys() {
    return this.#stored.singleKeys;
  }
  set singleKeys(on: boolean) {
    this.#stored.singleKeys = on;
    this.#keep();
  }

  /** Height of a list row in CSS pixels; the same number as `--row` in app.css. */
  get rowHeight() {
    return this.density === "compact" ? 40 : 56;
  }

  /** Puts the look on the document. */
  apply() {
    const { dataset } = document.documentElement;
    dataset.theme = this.theme;
    dataset.density = this.density;
  }

  #keep() {
    localStorage.setItem(key, JSON.stringify(this.#stored));
    this.apply();
  }
}

export const settings = new Settings();
