/* The open card: loaded by id, still or not, read to the end or not.
   Which of these matters, and for how long, is in the card's `arm`; nothing is decided here. */
import { commands, type ArmState, type Card } from "./bindings";
import { ask, asProblem, type Problem } from "./ipc";

export type Ready = { ready: boolean; why: string | null };

export class Reading {
  /** The proposal that was asked for; `card` follows. */
  id = $state<string | null>(null);
  card = $state.raw<Card | null>(null);
  /** When `card` was read, in the window's own milliseconds. */
  readAt = $state(0);
  problem = $state.raw<Problem | null>(null);
  /** Everything that will run has been in view. */
  readToEnd = $state(false);
  /** The card changed while it was open. */
  changed = $state(false);
  /** Milliseconds of stillness that have passed, as far as the card's buttons ask. */
  #stillMs = $state(-1);
  #timers: ReturnType<typeof setTimeout>[] = [];
  #turn = 0;

  /** Shows another card. The last one stays on screen, without buttons, until this one is here. */
  async show(id: string | null): Promise<void> {
    if (id === this.id) return;
    this.id = id;
    this.problem = null;
    this.changed = false;
    if (id === null) {
      this.#turn++;
      this.#put(null);
      return;
    }
    await this.refresh();
  }

  async refresh(): Promise<void> {
    const id = this.id;
    if (id === null) return;
    const turn = ++this.#turn;
    try {
      const card = await ask(commands.card(id));
      if (turn === this.#turn) this.#put(card);
    } catch (thrown) {
      if (turn !== this.#turn) return;
      this.problem = asProblem(thrown);
      this.#put(null);
    }
  }

  /** The card has come back into view (the page or the window was away): its stillness starts again. */
  reappear() {
    this.#watchStillness(this.card);
  }

  /** Whether there is something to decide on this card, armed or not. What can be taken back is decided. */
  get open(): boolean {
    const { card } = this;
    if (!card || card.undo) return false;
    return card.state.kind === "proposed" || card.arm.approve.armed || card.arm.reject.armed;
  }

  get approve(): Ready {
    return this.#ready(this.card?.arm.approve);
  }

  get reject(): Ready {
    return this.#ready(this.card?.arm.reject);
  }

  /** Taking one's own request back; null where that is not offered. */
  get withdraw(): Ready | null {
    const arm = this.card?.arm.withdraw;
    return arm ? this.#ready(arm) : null;
  }

  /** Whether only time is missing, so that the button can show that it is about to arm. */
  get arming(): boolean {
    const arm = this.card?.arm.approve;
    return Boolean(arm?.armed && this.#stillMs < arm.afterMs);
  }

  /** Whether only time is missing before a rejection. */
  get rejectIsArming(): boolean {
    const { card } = this;
    return Boolean(
      card?.id === this.id && card?.arm.reject.armed && this.#stillMs < card.arm.reject.afterMs,
    );
  }

  #ready(arm: ArmState | undefined): Ready {
    if (!arm || this.card?.id !== this.id) return { ready: false, why: "The card is loading." };
    if (!arm.armed) return { ready: false, why: arm.why };
    if (arm.mustReadToEnd && !this.readToEnd) {
      return { ready: false, why: "Read to the end first." };
    }
    if (this.#stillMs < arm.afterMs) {
      return { ready: false, why: "The card has only just appeared." };
    }
    return { ready: true, why: null };
  }

  #put(card: Card | null) {
    const before = this.card;
    this.card = card;
    this.readAt = Date.now();
    if (card) this.problem = null;
    const same = card && before && before.id === card.id && before.viewDigest === card.viewDigest;
    if (same) return;
    this.changed = Boolean(card && before && before.id === card.id);
    this.readToEnd = false;
    this.#watchStillness(card);
  }

  #watchStillness(card: Card | null) {
    this.#timers.forEach(clearTimeout);
    this.#stillMs = 0;
    const arms = card ? [card.arm.approve, card.arm.reject, card.arm.withdraw] : [];
    const waits = arms.flatMap((arm) => arm?.afterMs ?? []);
    this.#timers = [...new Set(waits)].map((ms) =>
      setTimeout(() => (this.#stillMs = Math.max(this.#stillMs, ms)), ms),
    );
  }
}
