/* A list and the card beside it: moving, opening, deciding, undoing. */
import {
  commands,
  type Card,
  type Decided,
  type InboxView,
  type Refused,
  type Risk,
  type StateKind,
  type Verdict,
} from "./bindings";
import { ask, asProblem, type Problem } from "./ipc";
import { ProposalList } from "./list.svelte";
import { Reading } from "./reading.svelte";
import { route } from "./route.svelte";
import { toasts } from "./toasts.svelte";

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
  /** The box for a question is open. */
  asking = $state(false);
  /** The proposal whose form is open. */
  editing = $state<string | null>(null);
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
    if (id === null) this.opened = false;
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
    this.asking = false;
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
      // Looked up first: a hint may take the decided row out of the list before the core answers.
      const following = this.list.following(card.id)?.id ?? null;
      // Before the core is asked: the hint of how it ended may be here before the answer.
      awaited.add(card.id);
      const decided = await this.#decide(card, "approve", comment, confirmation);
      this.#stampThen(card.id, following ?? (this.list.filtered ? null : decided.next));
    } catch (thrown) {
      awaited.delete(card.id);
      this.#refused(asProblem(thrown));
    } finally {
      this.busy = false;
    }
  }

  /** Opens the box for the reason, or says why not. It opens while the card is still arming: the box decides nothing. */
  askReason() {
    const arming = this.reading.rejectIsArming && !this.busy && !this.stamped;
    if (!arming && !this.#decidableCard("reject")) return;
    this.asking = false;
    this.rejecting = true;
  }

  async reject(reason: string): Promise<void> {
    const card = this.#decidableCard("reject");
    if (!card) return;
    await this.#hold(card, "Not rejected", () =>
      this.#decide(card, "reject", reason.trim() || null, null),
    );
  }

  /** Takes the person's own request back, or says why not. */
  async withdraw(): Promise<void> {
    const card = this.#decidableCard("withdraw");
    if (!card) return;
    await this.#hold(card, "Not withdrawn", async () =>
      this.#said(card, await ask(commands.withdraw(card.id))),
    );
  }

  /** Opens the form of the card, or says why not. */
  edit() {
    const card = this.#offers("edit");
    if (card) this.editing = card.id;
  }

  /** Opens the box for a question to the proposer, or says why not. */
  ask() {
    if (!this.#offers("ask")) return;
    this.rejecting = false;
    this.asking = true;
  }

  #offers(act: "edit" | "ask"): Card | null {
    const { card } = this.reading;
    const arm = card?.arm[act];
    if (this.busy || this.stamped || !card || !arm || card.id !== this.reading.id) return null;
    if (arm.armed) return card;
    if (arm.why) toasts.say(arm.why);
    return null;
  }

  /** Says something about a card that the core holds before it signs it: there is no stamp to show, and the next card
      does not wait for the answer. */
  async #hold(card: Card, otherwise: string, say: () => Promise<Decided>): Promise<void> {
    const next = this.list.following(card.id)?.id ?? null;
    this.busy = true;
    void this.select(next);
    try {
      await say();
      void this.list.refresh();
    } catch (thrown) {
      const problem = asProblem(thrown);
      toasts.show(`${otherwise}. ${problem.message}`, "bad", card.sentence);
      // Whoever has gone on meanwhile is not pulled back.
      if (this.list.selectedId === next) {
        void this.select(card.id);
        this.problem = problem;
      }
      void this.refresh();
    } finally {
      this.busy = false;
    }
  }

  /** Takes back what this person decided about the open card. */
  takeBack() {
    const { card } = this.reading;
    if (card?.undo) void this.#undo(card.id);
  }

  /** `z`: the newest thing that can be undone, else the open card. */
  undo() {
    if (!toasts.undoLast()) this.takeBack();
  }

  #decidableCard(act: "approve" | "reject" | "withdraw"): Card | null {
    const { card } = this.reading;
    const state = this.reading[act];
    if (this.busy || this.stamped || !card || !state) return null;
    if (state.ready) return card;
    if (state.why) toasts.say(state.why);
    return null;
  }

  async #decide(
    card: Card,
    verdict: Verdict,
    comment: string | null,
    confirmation: string | null,
  ): Promise<Decided> {
    const { id, viewDigest } = card;
    return this.#said(
      card,
      await ask(commands.decide({ id, viewDigest, verdict, comment, confirmation })),
    );
  }

  #said({ id, sentence: about }: Card, decided: Decided): Decided {
    const { words, tone } = decided.state;
    if (decided.undoSeconds) {
      toasts.showUndo(id, words, about, decided.undoSeconds, () => void this.#undo(id));
    } else {
      toasts.show(words, tone, about, id);
    }
    return decided;
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
    toasts.closeAbout(id);
    awaited.delete(id);
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
    this.asking = false;
    this.confirmation = "";
    this.problem = null;
  }
}

/** What was approved here and has not come to an end yet. */
const awaited = new Set<string>();

/** Ends of an approved call that its approver has to hear of. */
const otherwise = new Set<StateKind>([
  "failed",
  "unknown",
  "rejected",
  "expired",
  "withdrawn",
  "superseded",
  "denied",
]);

/** As many at once of what does not count: the next ones come when these are seen. */
const refusedAtOnce = 3;

/** What was signed here and does not count: told until it is opened or dismissed, also after a restart. */
export function tellRefused(refused: readonly Refused[]) {
  for (const { id, sentence, state } of refused.slice(0, refusedAtOnce)) {
    awaited.delete(id);
    if (toasts.waits(id)) {
      toasts.retell(id, state.words, state.tone);
      continue;
    }
    const seen = () => void ask(commands.sawRefused(id)).catch(() => {}); // It is told once more then.
    toasts.keep(id, state.words, state.tone, sentence, () => openIn(state.kind, id), seen);
  }
}

/** After a hint: a message that still says "saved" about what is done would be wrong, and what was approved and went
    another way is told also when nothing on the screen is about it any more. */
export async function retell(id: string): Promise<void> {
  if (!toasts.tells(id) && !awaited.has(id)) return;
  try {
    const { state, sentence } = await ask(commands.card(id));
    if (awaited.has(id) && otherwise.has(state.kind)) {
      awaited.delete(id);
      toasts.keep(id, state.words, state.tone, sentence, () => openIn(state.kind, id));
      return;
    }
    if (state.kind === "completed") awaited.delete(id);
    toasts.retell(id, state.words, state.tone);
  } catch {
    // The message was true when it was shown, and goes by itself.
  }
}

function openIn(kind: StateKind, id: string) {
  const unknown = kind === "unknown";
  route.go(unknown ? "inbox" : "done");
  desks[unknown ? "to_decide" : "done"].open(id);
}

/** One desk for each list, so that going to another page and back loses nothing. */
export const desks: Record<InboxView, Desk> = {
  to_decide: new Desk("to_decide"),
  in_progress: new Desk("in_progress"),
  done: new Desk("done"),
};
