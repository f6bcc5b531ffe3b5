/* Editing in the fake core: a form out of a card's nodes, a comparison, and the card that takes the old one's place. */
import type {
  Card,
  CardNode,
  Difference,
  Edit,
  EditForm,
  Edited,
  FormField,
  Span,
} from "../../lib/bindings";
import { card, field, text as textNode, to } from "./cards";
import { schedule } from "./schedule";
import { lines } from "./spans";

const flat = (spans: readonly Span[]) => spans.map((span) => span.text).join("");

/** The text of each argument that the card shows, by its label. */
function shown(body: readonly CardNode[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const node of body) {
    if (node.kind === "recipient") {
      const before = found.get(node.label);
      const address = flat(node.address);
      found.set(node.label, before ? `${before}\n${address}` : address);
    } else if (node.kind === "text") {
      found.set(node.label, node.lines.map(flat).join("\n"));
    } else if (node.kind === "field") {
      found.set(node.label, flat(node.value));
    }
  }
  return found;
}

function formField(name: string, value: string, needed: boolean): FormField {
  const input = name === "to" || name === "cc" ? "items" : name === "body" ? "text" : "line";
  return {
    name,
    label: name,
    hint: name === "to" ? "Recipients, each of the form name@domain." : null,
    input,
    options: [],
    required: needed,
    longest: name === "subject" ? 200 : null,
    text: value,
  };
}

export class FakeEdits {
  readonly #kept = new Map<string, Edit>();

  form(of: Card): EditForm {
    const kept = this.#kept.get(of.id);
    const fields = [...shown(of.body)].map(([name, value]) => formField(name, value, true));
    if (of.tool === "email.send") fields.splice(1, 0, formField("cc", "", false));
    for (const one of fields) {
      one.text = kept?.entered.find((typed) => typed.name === one.name)?.text ?? one.text;
    }
    const again = cameToNothing(of);
    return {
      id: of.id,
      again,
      sentence: of.sentence,
      fields,
      note: kept?.note ?? "",
      notBefore: kept?.notBefore ?? of.notBefore ?? "",
      kept: kept !== undefined,
      consequence: again
        ? "This makes a new request, and policy is asked again. That this one came to nothing stands on it. You ask for it, so another person has to approve it."
        : "This makes a new request in place of this one, and policy is asked again. You are its editor, so another person has to approve it.",
    };
  }

  draft(of: Card, edit: Edit): Edited {
    this.#kept.set(of.id, edit);
    const before = shown(of.body);
    const empty = edit.entered.find(({ name, text }) => name !== "cc" && text.trim() === "");
    const differences = edit.entered.flatMap(({ name, text }) =>
      compared(name, before.get(name), text),
    );
    const late = schedule(edit.notBefore);
    if (!late && edit.notBefore !== (of.notBefore ?? "")) {
      differences.push(...compared("Not before", of.notBefore ?? undefined, edit.notBefore));
    }
    return {
      sentence: of.sentence,
      differences,
      problem: empty ? { field: empty.name, message: `“${empty.name}” is needed.` } : late,
      changed: differences.some((one) => one.change !== "unchanged"),
    };
  }

  discard(id: string) {
    this.#kept.delete(id);
  }

  /** The old card as it stands then, and the one in its place or that tries it again. */
  submit(of: Card, edit: Edit): { old: Card; made: Card } {
    const { differences } = this.draft(of, edit);
    this.#kept.delete(of.id);
    const body = edit.entered.flatMap(({ name, text: typed }): CardNode[] => {
      if (typed.trim() === "") return [];
      if (name === "to" || name === "cc") return typed.split("\n").map((line) => to(line, false));
      return [name === "body" ? textNode(name, typed) : field(name, typed)];
    });
    const made = card({
      tool: of.tool,
      sentence: flat(of.sentence),
      risk: of.risk,
      body,
      agent: "Ada Byron",
      age: 0,
      more: { replaces: { id: of.id, words: "Edited by Ada Byron", differences } },
    });
    made.proposer.kind = "user";
    made.notBefore = edit.notBefore || null;
    const why = "You proposed it, or it was proposed for you: somebody else decides.";
    made.arm.approve = { ...made.arm.approve, armed: false, why };
    if (cameToNothing(of)) return { old: of, made: { ...made, replaces: null, retryOf: of.id } };
    const off = { armed: false, why: "Another request has taken its place." };
    const old: Card = {
      ...of,
      state: { kind: "superseded", words: "Edited by Ada Byron", at: null, tone: "neutral" },
      replacedBy: made.id,
      arm: {
        ...of.arm,
        approve: { ...of.arm.approve, ...off },
        reject: { ...of.arm.reject, ...off },
        edit: null,
      },
    };
    return { old, made };
  }
}

const cameToNothing = ({ state }: Card) =>
  ["failed", "rejected", "expired", "withdrawn", "denied"].includes(state.kind);

function compared(label: string, old: string | undefined, now: string): Difference[] {
  if (old === undefined && now.trim() === "") return [];
  const line = (change: "added" | "removed" | "unchanged") => (text: Span[]) => ({ change, text });
  const [before, after] = [lines(old ?? ""), lines(now)];
  if (old === undefined) return [{ label, change: "added", lines: after.map(line("added")) }];
  if (old === now) return [{ label, change: "unchanged", lines: after.map(line("unchanged")) }];
  const same = (text: Span[]) => after.some((other) => flat(other) === flat(text));
  const known = (text: Span[]) => before.some((other) => flat(other) === flat(text));
  return [
    {
      label,
      change: "changed",
      lines: [
        ...before.filter((text) => !same(text)).map(line("removed")),
        ...after.map((text) => line(known(text) ? "unchanged" : "added")(text)),
      ],
    },
  ];
}
