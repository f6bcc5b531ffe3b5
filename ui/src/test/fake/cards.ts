/* Proposals for the fake core: every kind of node, every risk, every state, and hostile text. */
import type {
  Card,
  CardNode,
  DecisionItem,
  HistoryItem,
  Risk,
  StateView,
} from "../../lib/bindings";
import { lines, spans } from "./spans";

export const minute = 60;
export const hour = 60 * minute;

/** RFC 3339, `seconds` from now. */
export function at(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString();
}

export const proposed: StateView = {
  kind: "proposed",
  words: "Waits for your decision",
  at: null,
  tone: "neutral",
};

type Draft = {
  tool: string;
  sentence: string;
  risk: Risk;
  body: CardNode[];
  riskReasons?: string[];
  agent?: string;
  age?: number;
  expiresIn?: number;
  state?: StateView;
  note?: string;
  evidence?: [string, string][];
  decisions?: DecisionItem[];
  history?: HistoryItem[];
  more?: Partial<Card>;
};

let made = 0;

/** A whole card out of what is worth saying about it. */
export function card(draft: Draft): Card {
  made += 1;
  const serial = made.toString(16).padStart(12, "0");
  const id = `0198c2a4-7b1e-7c40-9d2f-${serial}`;
  const strict = draft.risk === "high" || draft.risk === "critical";
  const state = draft.state ?? proposed;
  const open = state.kind === "proposed";
  const closed = open ? null : "This is no longer open for a decision.";
  const age = draft.age ?? 12 * minute;
  const expiresIn = open ? (draft.expiresIn ?? 71 * hour) : 0;
  return {
    id,
    tool: draft.tool,
    risk: draft.risk,
    riskReasons: draft.riskReasons ?? [],
    sentence: spans(draft.sentence),
    body: draft.body,
    why: {
      sentence: `${draft.risk.charAt(0).toUpperCase()}${draft.risk.slice(1)} risk needs one approval by an approver.`,
      policies: [`seed.${draft.risk}-asks`],
    },
    after: {
      approve: draft.tool.startsWith("email")
        ? "It is sent once over “Company mail”, after 10 s in which you can undo."
        : "It runs once, at once.",
      reject: "It never runs. The agent is told your reason.",
    },
    proposer: {
      kind: "agent",
      name: spans(draft.agent ?? "Invoice agent"),
      run: spans("run-2026-11-22-0413"),
      onBehalfOf: null,
      contributors: [],
    },
    note: draft.note ? spans(draft.note) : null,
    evidence: (draft.evidence ?? []).map(([name, text]) => ({
      label: spans(name),
      text: spans(text),
    })),
    createdAt: at(-age),
    expiresAt: at(expiresIn),
    expiresInSeconds: expiresIn,
    state,
    history: draft.history ?? [
      { at: at(-age), words: "Proposed by the agent" },
      { at: at(-age), words: "Policy asked for approval" },
    ],
    decisions: draft.decisions ?? [],
    questions: [],
    replaces: null,
    replacedBy: null,
    retryOf: null,
    settle: null,
    result: [],
    signature: { signer: "Ada Byron", whence: "on Studio", fingerprint: "7b1e 90c4 d2f8 3a55" },
    viewDigest: `view-${serial}`,
    arm: {
      approve: {
        armed: open,
        afterMs: strict ? 2_000 : 600,
        why: closed,
        mustReadToEnd: strict,
        openFirst: strict,
      },
      reject: { armed: open, afterMs: 600, why: closed, mustReadToEnd: false, openFirst: false },
      withdraw: null,
      ask: open
        ? { armed: true, afterMs: 0, why: null, mustReadToEnd: false, openFirst: false }
        : null,
      edit: open
        ? { armed: true, afterMs: 0, why: null, mustReadToEnd: false, openFirst: false }
        : null,
    },
    confirm: null,
    reason: { required: true, maxLength: 2_000 },
    notBefore: null,
    hold: null,
    undo: false,
    mayErase: false,
    ...draft.more,
  };
}

export const field = (label: string, value: string, mono = false): CardNode => ({
  kind: "field",
  label,
  value: spans(value),
  mono,
});
export const text = (label: string, value: string): CardNode => ({
  kind: "text",
  label,
  lines: lines(value),
  characters: [...value].length,
});
export const to = (address: string, known: boolean, note: string | null = null): CardNode => ({
  kind: "recipient",
  label: "to",
  address: spans(address),
  known,
  note,
});

export const letter = `Dear Ms Okafor,

our records show that invoice 2026-1187 over 1,240.00 EUR, due on 31 October, is still open. If the payment is already on its way, please disregard this message.

Otherwise we would be grateful if you could settle it by 6 December. The bank details on the invoice are unchanged; if anyone tells you otherwise, please call us on the number you know before you pay.

Should there be a question about the delivery itself, Marta Lind in our warehouse (ext. 204) has the signed slip at hand and is glad to help.

With kind regards,
Ada Byron
Byron & Partners`;
