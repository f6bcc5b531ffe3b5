/* Short messages at the foot, in a queue, and the one live region that speaks them. */
import type { Span, Tone } from "./bindings";
import { plain } from "./words";

export type Toast = {
  id: number;
  words: string;
  /** What it is about, on a second line. Untrusted. */
  about: readonly Span[] | null;
  tone: Tone;
  /** The proposal whose state it tells. */
  of: string | null;
  /** Undo, while it is possible. */
  undo: (() => void) | null;
  /** Leads to what it is about. Such a message stays until it is dismissed. */
  open: (() => void) | null;
  /** Somebody has opened or dismissed it. */
  seen: (() => void) | null;
  /** Whole seconds left until `undo` is gone; null when it is not counting. */
  left: number | null;
};

const shownForMs = 5_000;
const atMost = 4;

class Toasts {
  list = $state<Toast[]>([]);
  /** What the live region says now. */
  spoken = $state("");
  #nextId = 1;
  #odd = false;
  #timers = new Map<number, ReturnType<typeof setInterval>>();

  /** Says a sentence to a screen reader without showing it. */
  say(words: string) {
    // The same sentence twice has to change the text, or it is not spoken again.
    this.#odd = !this.#odd;
    this.spoken = this.#odd ? words : `${words}\u00a0`;
  }

  show(
    words: string,
    tone: Tone = "neutral",
    about: readonly Span[] | null = null,
    of: string | null = null,
  ): number {
    const id = this.#push({
      words,
      about,
      tone,
      of,
      undo: null,
      open: null,
      seen: null,
      left: null,
    });
    setTimeout(() => this.close(id), tone === "bad" ? 2 * shownForMs : shownForMs);
    return id;
  }

  /** Stays until it is dismissed or opened: something went another way than was decided. */
  keep(
    of: string,
    words: string,
    tone: Tone,
    about: readonly Span[],
    open: () => void,
    seen: (() => void) | null = null,
  ) {
    this.closeAbout(of);
    const id = this.#push({
      of,
      words,
      about,
      tone,
      undo: null,
      left: null,
      seen,
      open: () => {
        this.dismiss(id);
        open();
      },
    });
  }

  /** A toast with Undo, counting down. It only shows: the core keeps the time that counts. */
  showUndo(
    of: string,
    words: string,
    about: readonly Span[],
    seconds: number,
    undo: () => void,
  ): number {
    const id = this.#push({
      of,
      words,
      about,
      tone: "neutral",
      open: null,
      seen: null,
      left: seconds,
      undo: () => {
        this.close(id);
        undo();
      },
    });
    const ends = Date.now() + seconds * 1000;
    const timer = setInterval(() => {
      const toast = this.list.find((one) => one.id === id);
      const left = Math.ceil((ends - Date.now()) / 1000);
      if (toast && left > 0) toast.left = left;
      else this.close(id);
    }, 250);
    this.#timers.set(id, timer);
    return id;
  }

  /** Undoes the newest thing that can be undone; false when there is none. */
  undoLast(): boolean {
    const toast = this.list.findLast((one) => one.undo);
    toast?.undo?.();
    return toast !== undefined;
  }

  /** The proposal was taken back: what was said about it is no longer so. */
  closeAbout(of: string) {
    for (const toast of this.list) if (toast.of === of) this.close(toast.id);
  }

  /** Whether something about the proposal stays until somebody says that they have seen it. */
  waits(of: string): boolean {
    return this.list.some((toast) => toast.of === of && toast.seen);
  }

  /** Whether something on the screen is about the proposal. */
  tells(of: string): boolean {
    return this.list.some((toast) => toast.of === of);
  }

  /** The proposal has gone on: what is on the screen about it says so too. */
  retell(of: string, words: string, tone: Tone) {
    if (!this.list.some((toast) => toast.of === of && toast.words !== words)) return;
    this.list = this.list.map((toast) => (toast.of === of ? { ...toast, words, tone } : toast));
    this.say(sentence(words));
  }

  /** A person has seen it. */
  dismiss(id: number) {
    const toast = this.list.find((one) => one.id === id);
    this.close(id);
    toast?.seen?.();
  }

  close(id: number) {
    clearInterval(this.#timers.get(id));
    this.#timers.delete(id);
    this.list = this.list.filter((one) => one.id !== id);
  }

  clear() {
    for (const toast of this.list) this.close(toast.id);
    this.spoken = "";
  }

  #push(toast: Omit<Toast, "id">): number {
    const id = this.#nextId++;
    // Toasts that only tell make room first: an undo is never pushed out.
    const told = this.list.length >= atMost && this.list.find((one) => !one.undo && !one.open);
    if (told) this.close(told.id);
    this.list = [...this.list, { id, ...toast }];
    const said = [toast.words];
    if (toast.about) said.push(plain(toast.about));
    if (toast.undo) said.push("Press z to undo");
    this.say(said.map(sentence).join(" "));
    return id;
  }
}

const sentence = (words: string) => (/[.?]$/.test(words) ? words : `${words}.`);

export const toasts = new Toasts();
