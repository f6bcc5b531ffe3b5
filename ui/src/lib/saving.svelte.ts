/* The journal on its way into a file. It goes on whichever page is open. */
import { commands, type JournalCopy, type SavedJournal } from "./bindings";
import { Form } from "./form.svelte";
import { toasts } from "./toasts.svelte";

const lookEveryMs = 500;

class Saving {
  copy = $state<JournalCopy>("whole");
  readonly form = new Form();
  /** Such as "12.4 MB"; null until something has come. */
  soFar = $state<string | null>(null);
  saved = $state.raw<SavedJournal | null>(null);

  async save() {
    if (this.form.busy) return;
    this.saved = null;
    const looks = setInterval(() => void this.#look(), lookEveryMs);
    const answer = await this.form.send(() => commands.saveJournal(this.copy));
    clearInterval(looks);
    this.soFar = null;
    if (!answer) return;
    this.saved = answer.data;
    toasts.say(answer.data ? "The journal is saved." : "Nothing was saved.");
  }

  stop() {
    void commands.stopSaving();
  }

  /** As new, for tests. */
  clear() {
    this.copy = "whole";
    this.form.problem = null;
    this.saved = null;
  }

  async #look() {
    const answer = await commands.savedSoFar();
    // An answer may come after the end.
    if (answer.status === "ok" && this.form.busy) this.soFar = answer.data;
  }
}

export const saving = new Saving();
