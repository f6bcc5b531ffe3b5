/* A core in memory, for tests and the fake preview only. It answers every command of bindings.ts. */
import type {
  AppState,
  Card,
  CommandError,
  ConnectCompany,
  Copy,
  Connection,
  ConnectionForm,
  Decide,
  Decided,
  Edit,
  EngineEvent,
  FirstAgent,
  InboxPage,
  InboxQuery,
  InboxRow,
  JournalCopy,
  NewTable,
  ResolveForm,
  Risk,
  SavedJournal,
  Scope,
  StartHere,
  StateKind,
  StateView,
  StopRow,
} from "../../lib/bindings";
import { at, card, field, proposed } from "./cards";
import { draft } from "./draft";
import { FakeEdits } from "./edits";
import { house } from "./house";
import { radar } from "./radar";
import { FakeRules } from "./rules";
import { done, inProgress, toDecide } from "./samples";
import { spans } from "./spans";

export type Scenario = {
  phase?: AppState["phase"];
  empty?: boolean;
  offline?: boolean;
  company?: boolean;
  alarm?: string;
  /** This device waits to be confirmed, on one of these or by one of these. */
  waits?: { own?: string[]; who?: string[] };
  /** This many more proposals to decide. */
  many?: number;
  /** What the company's provider is called. */
  provider?: string;
  /** Copies of a tenant in the person's home. */
  copies?: Copy[];
  /** Commands that fail, with their error. */
  failing?: Partial<Record<string, CommandError>>;
};

/** For how long a rejection can be undone before it is signed. */
const heldSeconds = 5;

const savedWords = "Saved on this device, counts only if sent before 14:30";

const inProgressKinds = new Set<StateKind>([
  "saved",
  "sent",
  "effective",
  "held",
  "pending",
  "running",
]);

export function error(
  code: CommandError["code"],
  message: string,
  named: string | null = null,
): CommandError {
  return { code, message, field: named };
}

export class FakeCore {
  cards: Card[];
  readonly calls: { command: string; args: Record<string, unknown> }[] = [];
  state: AppState;
  everProposed: boolean;
  /** In the person's home. */
  readonly copies: Copy[];
  connections: Connection[];
  readonly people;
  failing: Partial<Record<string, CommandError>>;
  /** Rejections that are not signed yet, with the card as it was before. */
  readonly #held = new Map<string, { before: Card; timer: ReturnType<typeof setTimeout> }>();
  readonly #edits = new FakeEdits();
  readonly rules: FakeRules;
  /** What the company's provider is called, if it has one. */
  readonly provider: string | null;
  #browser: { resolve: (nothing: null) => void; reject: (failure: CommandError) => void } | null =
    null;
  #saving: { copy: JournalCopy; resolve: (saved: SavedJournal | null) => void } | null = null;
  /** Set by whoever installs the fake. */
  emit: (event: EngineEvent) => void = () => {};

  constructor(scenario: Scenario = {}) {
    const parts = house(scenario.company ?? false);
    this.people = parts;
    this.rules = new FakeRules(!scenario.company);
    this.connections = parts.connections;
    this.state = parts.state;
    this.failing = scenario.failing ?? {};
    this.provider = scenario.provider ?? null;
    this.copies = scenario.copies ?? [];
    this.everProposed = !scenario.empty;
    this.cards = scenario.empty ? [] : [...toDecide(), ...inProgress(), ...done()];
    for (let n = 0; n < (scenario.many ?? 0); n++) {
      const risk: Risk = n % 9 === 0 ? "low" : "medium";
      this.cards.push(
        card({
          tool: "assistant.create_task",
          sentence: `Create the task “Number ${n + 1}”`,
          risk,
          body: [field("title", `Number ${n + 1}`)],
        }),
      );
    }
    if (scenario.phase) this.state.phase = scenario.phase;
    if (scenario.waits)
      this.state.deviceWaits = { code: "482913", own: [], who: [], ...scenario.waits };
    if (scenario.alarm) this.state.journal.alarm = scenario.alarm;
    if (scenario.offline) {
      this.state.link = {
        state: "offline",
        asOf: at(-47 * 60),
        ageSeconds: 47 * 60,
        waitingToSend: 2,
      };
    }
  }

  /** What comes back from the browser. */
  browserSays(failure?: CommandError) {
    if (failure) return this.#browser?.reject(failure);
    this.state.phase = { kind: "ready" };
    this.#browser?.resolve(null);
  }

  /** Everything has come, into this file; or none was chosen. */
  journalCame(path: string | null) {
    const check = this.#saving?.copy === "table" ? null : `countersign-verify ${path} --trust 5f1a`;
    this.#saving?.resolve(path ? { path, entries: 1284, amount: "12.4 MB", check } : null);
    this.#saving = null;
  }

  /** One command, as the bridge would call it. Throws a CommandError. */
  answer(command: string, args: Record<string, unknown>): unknown {
    this.calls.push({ command, args });
    const failure = this.failing[command];
    // Plain data, as the bridge rejects with.
    if (failure) throw failure;
    const handler = this.#handlers[command];
    if (!handler) throw new Error(`the fake has no command ${command}`);
    const given = handler(args) ?? null;
    return given instanceof Promise ? given : structuredClone(given);
  }

  calledWith(command: string): Record<string, unknown>[] {
    return this.calls.filter((call) => call.command === command).map((call) => call.args);
  }

  readonly #handlers: Record<string, (args: Record<string, unknown>) => unknown> = {
    app_state: () => ({ ...this.state, counts: this.#counts(), overdue: this.#overdue() }),
    start_here: ({ form }) => this.#startHere(form as StartHere),
    load_samples: () => {
      this.cards = toDecide();
      this.everProposed = true;
    },
    connect_company: ({ form }) => {
      if ((form as ConnectCompany).password === "wrong") {
        throw error(
          "refused",
          "The e-mail or the password is not right. Nothing was changed.",
          "password",
        );
      }
      this.state.phase = { kind: "ready" };
    },
    provider_name: () => this.provider,
    connect_by_provider: () =>
      new Promise<null>((resolve, reject) => (this.#browser = { resolve, reject })),
    leave_browser: () => this.browserSays(error("refused", "The sign-in was broken off.")),
    try_again: () => void (this.state.phase = { kind: "ready" }),
    copies: () => this.copies,
    put_back: () => {
      this.state.phase = { kind: "ready" };
      this.cards = toDecide();
      this.everProposed = true;
    },
    begin_anew: () => void (this.state.phase = { kind: "first_run" }),
    sign_out: () => void (this.state.phase = { kind: "first_run" }),
    inbox: ({ query }) => this.#inbox(query as InboxQuery),
    card: ({ id }) => this.find(id as string),
    decide: ({ form }) => this.#decide(form as Decide),
    undo: ({ id }) => this.#undo(this.find(id as string)),
    saw_refused: ({ id }) => {
      const refused = this.state.refused.filter((one) => one.id !== id);
      this.state = { ...this.state, refused };
      this.emit({ kind: "state_changed" });
    },
    erase: ({ id }) => {
      this.cards = this.cards.filter((one) => one.id !== id);
      this.emit({ kind: "inbox_changed" });
    },
    withdraw: ({ id }) => this.#withdraw(this.find(id as string)),
    draft_request: ({ text, notBefore }) => draft(text as string, notBefore as string),
    submit_request: ({ text, notBefore }) => {
      const { draft: made, problem } = draft(text as string, notBefore as string);
      if (problem) throw error("invalid", problem.message, problem.field);
      if (!made) throw error("invalid", "This is not a form that is understood.", "text");
      const added = card({
        tool: made.tool,
        sentence: made.sentence.map((span) => span.text).join(""),
        risk: made.risk,
        body: made.body,
        agent: "Ada Byron",
      });
      added.notBefore = (notBefore as string) || null;
      // One's own: it can be taken back.
      added.arm.withdraw = { ...added.arm.reject };
      this.cards.unshift(added);
      return { id: added.id };
    },
    radar: () => radar(this.everProposed ? this.cards : []),
    tasks: () => ({ rows: this.everProposed ? this.people.tasks : [], next: null }),
    connections: () => ({ rows: this.connections, add: { allowed: true, why: null } }),
    add_connection: ({ form }) => this.#addConnection(form as ConnectionForm),
    test_connection: () => ({
      ok: true,
      words: "Signed in and signed out again in 84 ms. Nothing was sent.",
    }),
    remove_connection: ({ id }) =>
      void (this.connections = this.connections.filter((one) => one.id !== id)),
    people: () => this.people.people,
    invite: ({ form }) => ({
      email: (form as { email: string }).email,
      code: "K7QD-M2XW-9RTF",
      url: "https://countersign.byron-partners.com",
    }),
    change_role: () => null,
    remove_member: ({ id }) =>
      void (this.people.people.members = this.people.people.members.filter((one) => one.id !== id)),
    devices: () => this.people.devices,
    revoke_device: () => null,
    rotate_key: () => null,
    device_review: () => this.people.review,
    endorse_device: ({ id, code }) => {
      if (code !== "482913")
        throw error("invalid", "That is not the code that the device shows.", "code");
      const found = this.people.devices.find((one) => one.id === id);
      if (found) Object.assign(found, { mayEndorse: false, note: null });
    },
    ask: ({ id, text }) => this.#ask(this.find(id as string), text as string),
    answer: ({ id, question, text }) => {
      const found = this.find(id as string);
      const answer = {
        who: "You answered",
        at: at(0),
        text: spans(text as string),
        onItsWay: false,
      };
      const questions = found.questions.map((one) =>
        one.question === question ? { ...one, answer, mayAnswer: null } : one,
      );
      this.#put({ ...found, questions, state: proposed });
      return null;
    },
    approval_rules: () => this.rules.page,
    judge_rules: ({ table }) => this.rules.judge(table as NewTable),
    change_rules: ({ table }) => {
      this.rules.change(table as NewTable);
      this.emit({ kind: "state_changed" });
      return null;
    },
    edit_form: ({ id }) => this.#edits.form(this.find(id as string)),
    draft_edit: ({ edit }) => this.#edits.draft(this.find((edit as Edit).id), edit as Edit),
    discard_edit: ({ id }) => this.#edits.discard(id as string),
    submit_edit: ({ edit }) => {
      const { old, made } = this.#edits.submit(this.find((edit as Edit).id), edit as Edit);
      this.cards.unshift(made);
      this.#put(old);
      return { id: made.id };
    },
    resolve: ({ form }) => this.#resolve(form as ResolveForm),
    stop_choices: () => [
      { scope: { kind: "tenant" }, what: "Everything" },
      { scope: { kind: "agent", id: "bookkeeper" }, what: "What Bookkeeper proposes" },
    ],
    stop: ({ scope, reason }) => {
      this.state = { ...this.state, stops: [...this.state.stops, stopped(scope as Scope, reason)] };
      this.emit({ kind: "state_changed" });
      return null;
    },
    release: ({ scope, confirmation }) => {
      if (confirmation !== "release") {
        throw error("invalid", "Type “release” to confirm it.", "confirmation");
      }
      const same = JSON.stringify(scope);
      const stops = this.state.stops.filter((stop) => JSON.stringify(stop.scope) !== same);
      this.state = { ...this.state, stops };
      this.emit({ kind: "state_changed" });
      return null;
    },
    withdraw_invite: ({ id }) =>
      void (this.people.people.invites = this.people.people.invites.filter((one) => one.id !== id)),
    quit: () => null,
    agents: () => ({ rows: this.people.agents, create: { allowed: true, why: null } }),
    create_agent: ({ name }) => this.#agent(name as string),
    revoke_agent: () => null,
    set_notifications_paused: ({ paused }) =>
      void (this.state.notificationsPaused = paused as boolean),
    back_up: () => ({ folder: "/home/ada/Countersign backups/2026-11-23 07.55.12", entries: 1284 }),
    save_journal: ({ copy }) =>
      new Promise<SavedJournal | null>(
        (resolve) => (this.#saving = { copy: copy as JournalCopy, resolve }),
      ),
    saved_so_far: () => (this.#saving ? "3.1 MB" : null),
    save_evidence: () => "/home/ada/countersign-evidence-2026-11-23.json",
    stop_saving: () => this.journalCame(null),
    verify_journal: () => ({
      size: 1284,
      ok: true,
      words: "All 1,284 entries were recomputed and agree with the signed checkpoint.",
    }),
  };

  find(id: string): Card {
    const found = this.cards.find((one) => one.id === id);
    if (!found) throw error("not_found", "There is no such proposal, or it is not yours to see.");
    return found;
  }

  #put(next: Card) {
    this.cards = this.cards.map((one) => (one.id === next.id ? next : one));
    this.emit({ kind: "proposal_changed", id: next.id });
    this.emit({ kind: "inbox_changed" });
  }

  #overdue() {
    return radar(this.cards).rows.filter((one) => one.overdue).length;
  }

  #counts() {
    const counts = { low: 0, medium: 0, high: 0, critical: 0 };
    for (const one of this.cards) if (one.state.kind === "proposed") counts[one.risk] += 1;
    return counts;
  }

  #inView(view: InboxQuery["view"]): Card[] {
    const viewOf = (one: Card): InboxQuery["view"] => {
      if (one.state.kind === "proposed") return "to_decide";
      return inProgressKinds.has(one.state.kind) ? "in_progress" : "done";
    };
    return this.cards.filter((one) => viewOf(one) === view);
  }

  #inbox(query: InboxQuery): InboxPage {
    const wanted = query.search?.toLowerCase();
    const fits = this.#inView(query.view).filter(
      (one) =>
        (!query.risk || one.risk === query.risk) &&
        (!wanted ||
          one.sentence
            .map((span) => span.text)
            .join("")
            .toLowerCase()
            .includes(wanted)),
    );
    const start = query.after ? fits.findIndex((one) => one.id === query.after) + 1 : 0;
    const page = fits.slice(start, start + query.limit);
    const filtered = Boolean(query.search || query.risk);
    const nothing = this.everProposed ? "zero" : "first_run";
    return {
      rows: page.map(row),
      next: start + page.length < fits.length ? (page.at(-1)?.id ?? null) : null,
      total: fits.length,
      capped: false,
      empty: fits.length ? null : filtered ? "filter" : nothing,
      today: { approved: 4, rejected: 1, automatic: 23 },
    };
  }

  #decide(form: Decide): Decided {
    const found = this.find(form.id);
    if (form.viewDigest !== found.viewDigest)
      throw error("refused", "This card has changed. Look again.");
    if (
      form.verdict === "approve" &&
      found.confirm &&
      form.confirmation !== found.confirm.placeholder
    ) {
      throw error(
        "invalid",
        "That is not the amount on the card. Nothing was signed.",
        "confirmation",
      );
    }
    if (this.#held.has(found.id)) throw error("refused", "You have decided this already.");
    if (form.verdict === "reject" && !form.comment)
      throw error("invalid", "Say why you reject it.", "comment");
    const open = this.#inView("to_decide");
    const index = open.indexOf(found);
    const next = open[index + 1] ?? open[index - 1] ?? null;
    const undoSeconds =
      form.verdict === "approve" ? this.#approve(found, form) : this.#reject(found, form);
    return { state: this.find(form.id).state, next: next?.id ?? null, undoSeconds };
  }

  #approve(found: Card, form: Decide): number {
    const offline = this.state.link.state === "offline";
    this.#sign(found, form, {
      kind: offline ? "saved" : "held",
      words: offline ? savedWords : "Approved by you",
      at: at(0),
      tone: "busy",
    });
    return 10;
  }

  #reject(found: Card, form: Decide): number {
    return this.#hold(found, "Rejected by you", () => {
      const offline = this.state.link.state === "offline";
      this.#sign(this.find(found.id), form, {
        kind: offline ? "saved" : "rejected",
        words: offline ? savedWords : "Rejected by you",
        at: at(0),
        tone: offline ? "busy" : "bad",
      });
    });
  }

  #resolve({ id, happened }: ResolveForm): null {
    const found = this.find(id);
    const words = happened ? "It happened, said you 10:04." : "It did not happen, said you 10:04.";
    const state: StateView = {
      kind: happened ? "completed" : "failed",
      words,
      at: at(0),
      tone: happened ? "good" : "bad",
    };
    this.cards = this.cards.map((one) =>
      one.id === found.id ? { ...one, state, settle: null } : one,
    );
    this.emit({ kind: "proposal_changed", id });
    return null;
  }

  #ask(found: Card, text: string): null {
    if (!text.trim()) throw error("invalid", "Write something first.", "text");
    const asked = {
      question: `question-${found.questions.length}`,
      who: "You asked",
      at: at(0),
      text: spans(text),
      answer: null,
      mayAnswer: null,
      onItsWay: this.state.link.state === "offline",
    };
    const words = `You asked 10:04: ${text}`;
    const state: StateView = { ...proposed, words, tone: "busy" };
    this.#put({ ...found, questions: [...found.questions, asked], state });
    return null;
  }

  #withdraw(found: Card): Decided {
    if (!found.arm.withdraw?.armed)
      throw error("refused", "There is nothing of yours to take back.");
    const words = "Taken back by you";
    const undoSeconds = this.#hold(found, words, () =>
      this.#put({
        ...this.find(found.id),
        undo: false,
        state: { kind: "withdrawn", words, at: at(0), tone: "neutral" },
      }),
    );
    return { state: this.find(found.id).state, next: null, undoSeconds };
  }

  /** What is held is on the disk at once, and signed when its time for undo is over. */
  #hold(found: Card, what: string, sign: () => void): number {
    const timer = setTimeout(() => {
      this.#held.delete(found.id);
      sign();
    }, heldSeconds * 1000);
    this.#held.set(found.id, { before: found, timer });
    const words = `${what}, can be undone`;
    const state = { kind: "saved", words, at: at(0), tone: "busy" } as const;
    this.#put({ ...found, ...closed(found), state, undo: true });
    return heldSeconds;
  }

  #sign(found: Card, form: Decide, state: StateView) {
    const decision = {
      who: "Ada Byron",
      verdict: form.verdict,
      at: at(0),
      words: state.words,
      comment: form.comment ? spans(form.comment) : null,
    };
    const undo = form.verdict === "approve";
    this.#put({ ...found, ...closed(found), state, undo, decisions: [decision] });
  }

  #undo(found: Card) {
    if (!found.undo) throw error("refused", "It cannot be undone any more.");
    const held = this.#held.get(found.id);
    if (held) {
      clearTimeout(held.timer);
      this.#held.delete(found.id);
      this.#put(held.before);
      return;
    }
    this.#put({
      ...found,
      undo: false,
      hold: null,
      state: proposed,
      arm: {
        approve: { ...found.arm.approve, armed: true, why: null },
        reject: { ...found.arm.reject, armed: true, why: null },
        withdraw: found.arm.withdraw,
        edit: found.arm.edit,
        ask: found.arm.ask,
      },
    });
  }

  #startHere(form: StartHere): FirstAgent {
    if (!form.name) throw error("invalid", "A name is needed for the signature line.", "name");
    this.state.phase = { kind: "ready" };
    this.everProposed = form.samples;
    this.cards = form.samples ? toDecide() : [];
    return this.#agent("First agent");
  }

  #agent(agentName: string): FirstAgent {
    if (!agentName) throw error("invalid", "A name is needed: it stands on every card.", "name");
    const proposeUrl = "http://127.0.0.1:41873/api/assistant/propose";
    const apiKey = "csk_0198c2a47b1e_Zk3wq8vT1nYbR5uXfA9eLmPd";
    return {
      agentName,
      apiKey,
      proposeUrl,
      curl: `curl -sS ${proposeUrl} -H 'Authorization: Bearer ${apiKey}' -H 'Content-Type: application/json' -d '{"text":"create task: Say hello"}'`,
    };
  }

  #addConnection(form: ConnectionForm) {
    if (form.kind === "smtp" && form.tls === "none") {
      throw error(
        "invalid",
        "Without encryption only a server on this computer is allowed.",
        "tls",
      );
    }
    this.connections = [
      ...this.connections,
      {
        id: `added-${this.calls.length}`,
        name: form.name,
        kind: form.kind,
        holder: "this_device",
        holderName: null,
        summary: form.kind === "smtp" ? `${form.host}:${form.port}` : form.baseUrl,
        status: "Not tested yet",
        tone: "neutral",
        usedBy: 0,
        mayTest: true,
        mayRemove: true,
      },
    ];
  }
}

/** The buttons of a card that this person has decided. */
function closed({ arm }: Card): Pick<Card, "arm"> {
  const off = { armed: false, why: "You have decided this." };
  return {
    arm: {
      approve: { ...arm.approve, ...off },
      reject: { ...arm.reject, ...off },
      withdraw: null,
      edit: null,
      ask: null,
    },
  };
}

export function row(one: Card): InboxRow {
  return {
    id: one.id,
    sentence: one.sentence,
    tool: one.tool,
    risk: one.risk,
    proposer: { kind: one.proposer.kind, name: one.proposer.name },
    createdAt: one.createdAt,
    expiresAt: one.expiresAt,
    expiresInSeconds: one.expiresInSeconds,
    state: one.state,
    decidable: one.arm.approve.armed || one.arm.reject.armed,
  };
}

function stopped(scope: Scope, reason: unknown): StopRow {
  return {
    scope,
    what: scope.kind === "tenant" ? "Everything" : "What Bookkeeper proposes",
    words: `You stopped it 10:02${typeof reason === "string" ? `: ${reason}` : ""}.`,
    at: at(0),
    inFlight: [
      { id: "p5", sentence: spans("Send the May invoice to Acme"), begunAt: at(-60) },
      { id: "p6", sentence: spans("Create task: Review the quarter"), begunAt: at(-30) },
    ],
    release: { allowed: true, why: null },
    confirm: { prompt: "Type “release” to release it", placeholder: "release" },
  };
}
