/* A list and the card beside it: moving, opening, deciding, undoing. */
import { commands, type Card, type InboxView, type Risk } from "./bindings";
import { ask, asProblem, type Problem } from "./ipc";
import { ProposalList } from "./list.svelte";
import { Reading } from "./reading.svelte";
import { rejections } from "./rejections.svelte";
import { toasts } from "./toasts.svelte";
import { plain } from "./words";

/** How long the stamp is on the signature line before the next card takes its place. */
const stampMs = 150;

export class Desk {
  readonly list: ProposalList;
  readonly reading = new Reading();
  /** The person went into the card on purpose (Enter, `o`, a click on it), rather than passing over its row. */
  opened = $state(false);
  /** The reason box is open. */
  rejecting = $state(false);
  confirmation = $state("");
  /** Why the last decision on this card was not taken. */
  problem = $state.raw<Problem | null>(null);
  busy = $state(false);
  /** The card that was just signed, while the stamp is on it. */
  stamped = $state<string | null>(null);

  constructor(view: InboxView) {
    this.list = new ProposalList(view);
  }

  /** After a hint, and when the page opens. */
  async refresh(): Promise<void> {
    // While the stamp is on it, the card stays as it was signed.
    const card = this.stamped ? null : this.reading.refresh();
    await Promise.all([this.list.refresh(), card]);
    const first = this.list.rows[0];
    if (this.list.selectedId === null && first) await this.select(first.id);
  }

  async filter(search: string, risk: Risk | null): Promise<void> {
    await this.list.filter(search, risk);
    if (this.list.index() < 0) await this.select(this.list.rows[0]?.id ?? null);
  }

  async select(id: string | null): Promise<void> {
    if (this.list.selectedId !== id) this.#leave();
    this.list.selectedId = id;
    if (!this.stamped) await this.reading.show(id);
  }

  move(by: number) {
    const row = this.list.neighbour(by);
    if (row) void this.select(row.id);
  }

  open(id = this.list.selectedId) {
    if (!id) return;
    void this.select(id);
    this.opened = true;
  }

  back() {
    this.opened = false;
    this.rejecting = false;
  }

  /** Approves the card, or says why not. */
  async approve(comment: string | null = null): Promise<void> {
    const card = this.#decidableCard("approve");
    if (!card) return;
    if (card.arm.approve.openFirst && !this.opened) {
      this.open();
      toasts.say("Opened. Read it here, then approve.");
      return;
    }
    if (card.confirm && this.confirmation.trim() === "") {
      toasts.say(card.confirm.prompt);
      document.getElementById("confirmation")?.focus();
      return;
    }
    this.busy = true;
    this.problem = null;
    const confirmation = card.confirm ? this.confirmation : null;
    try {
      const decided = await ask(
        commands.decide({
          id: card.id,
          viewDigest: card.viewDigest,
          verdict: "approve",
          comment,
          confirmation,
        }),
      );
      const { words, tone } = decided.state;
      const about = plain(card.sentence);
      if (decided.undoSeconds) {
        toasts.showUndo(words, about, decided.undoSeconds, () => void this.#undo(card.id));
      } else {
        toasts.show(words, tone, about);
      }
      this.#stampThen(card.id, this.#nextOf(card.id, decided.next));
    } catch (thrown) {
      this.#refused(asProblem(thrown));
    } finally {
      this.busy = false;
    }
  }

  /** Opens the reason box, or says why not. */
  askReason() {
    if (this.#decidableCard("reject")) this.rejecting = true;
  }

  /** Rejects after a wait in which it can be undone: a rejection is final once it is signed. */
  reject(reason: string) {
    const card = this.#decidableCard("reject");
    if (!card) return;
    rejections.hold(card, reason.trim() || null, {
      done: () => void this.refresh(),
      undone: () => void this.select(card.id),
    });
    void this.select(this.#nextOf(card.id, null));
  }

  /** Takes back this person's own approval of the open card. */
  takeBack() {
    const { card } = this.reading;
    if (card?.undo) void this.#undo(card.id);
  }

  /** `z`: the newest thing that can be undone, else the open card. */
  undo() {
    if (!toasts.undoLast()) this.takeBack();
  }

  #decidableCard(verdict: "approve" | "reject"): Card | null {
    const { card } = this.reading;
    const { ready, why } = this.reading[verdict];
    if (this.busy || this.stamped || !card || rejections.holds(card.id)) return null;
    if (ready) return card;
    if (why) toasts.say(why);
    return null;
  }

  /** The core's next item; under a filter, or past one that is being rejected, the list's own. */
  #nextOf(id: string, next: string | null): string | null {
    if (next && !this.list.filtered && !rejections.holds(next)) return next;
    return this.list.following(id, (other) => rejections.holds(other))?.id ?? null;
  }

  #stampThen(id: string, next: string | null) {
    this.stamped = id;
    this.#leave();
    this.list.selectedId = next;
    void this.list.refresh();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    setTimeout(
      () => {
        this.stamped = null;
        void this.reading.show(this.list.selectedId);
        if (this.list.selectedId === null) this.opened = false;
      },
      still ? 0 : stampMs,
    );
  }

  #refused(problem: Problem) {
    this.problem = problem;
    toasts.say(problem.message);
    void this.refresh();
  }

  async #undo(id: string): Promise<void> {
    try {
      await ask(commands.undo(id));
      toasts.show("Taken back. It is yours to decide again.");
      await this.select(id);
    } catch (thrown) {
      toasts.show(asProblem(thrown).message, "bad");
    }
    await this.refresh();
  }

  #leave() {
    this.rejecting = false;
    this.confirmation = "";
    this.problem = null;
  }
}

/** One desk for each list, so that going to another page and back loses nothing. */
export const desks: Record<InboxView, Desk> = {
  to_decide: new Desk("to_decide"),
  in_progress: new Desk("in_progress"),
  done: new Desk("done"),
};
