/* Rejections that wait, with undo, before they are signed: a rejection is final. */
import { commands, type Card } from "./bindings";
import { ask, asProblem } from "./ipc";
import { toasts } from "./toasts.svelte";
import { plain } from "./words";

const waitSeconds = 5;

type After = { done: () => void; undone: () => void };
type Held = { send: () => Promise<void>; timer: ReturnType<typeof setTimeout>; toast: number };

class Rejections {
  #held = $state.raw<ReadonlyMap<string, Held>>(new Map());

  holds(id: string): boolean {
    return this.#held.has(id);
  }

  hold(card: Card, reason: string | null, after: After) {
    const { id, viewDigest } = card;
    const sentence = plain(card.sentence);
    const send = async () => {
      this.#drop(id);
      try {
        const form = {
          id,
          viewDigest,
          verdict: "reject",
          comment: reason,
          confirmation: null,
        } as const;
        const decided = await ask(commands.decide(form));
        toasts.say(decided.state.words);
      } catch (thrown) {
        toasts.show(`Not rejected. ${asProblem(thrown).message}`, "bad", sentence);
      }
      after.done();
    };
    const undo = () => {
      this.#drop(id);
      toasts.say("Not rejected. Nothing was signed.");
      after.undone();
    };
    const toast = toasts.showUndo("Rejecting", sentence, waitSeconds, undo);
    const timer = setTimeout(() => void send(), waitSeconds * 1000);
    this.#held = new Map(this.#held).set(id, { send, timer, toast });
  }

  /** The window is going away: what was decided is signed now rather than lost. */
  async flush(): Promise<void> {
    await Promise.all([...this.#held.values()].map((held) => held.send()));
  }

  /** Drops all that waits, unsigned: for another tenant or another person. */
  forget() {
    for (const id of this.#held.keys()) this.#drop(id);
  }

  #drop(id: string) {
    const held = this.#held.get(id);
    if (!held) return;
    clearTimeout(held.timer);
    toasts.close(held.toast);
    const rest = new Map(this.#held);
    rest.delete(id);
    this.#held = rest;
  }
}

export const rejections = new Rejections();
