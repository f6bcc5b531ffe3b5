/* The table of rules in the fake core. */
import type { CommandError, JudgedTable, NewTable, Rule, RulesPage } from "../../lib/bindings";
import { spans } from "./spans";

const sentence = (rule: Rule) => `${rule.tool ?? "Every tool"}: ${rule.people} people.`;
const word = "loosen";

export class FakeRules {
  page: RulesPage;
  readonly #alone: boolean;

  constructor(alone: boolean) {
    this.#alone = alone;
    this.page = {
      base: null,
      table: [],
      wanted: [],
      edit: { allowed: true, why: null },
      tools: [
        { id: "assistant.create_task", title: "Create Task" },
        { id: "email.send", title: "Send E-mail" },
      ],
      mostPeople: alone ? 1 : 3,
      onItsWay: false,
    };
  }

  judge({ table }: NewTable): JudgedTable {
    const removed = this.page.table.filter((old) => !has(table, old));
    const lines = [
      ...removed.map((rule) => ({ change: "removed" as const, text: spans(sentence(rule)) })),
      ...table.map((rule) => ({
        change: has(this.page.table, rule) ? ("unchanged" as const) : ("added" as const),
        text: spans(sentence(rule)),
      })),
    ];
    const same = lines.every((line) => line.change === "unchanged");
    const looser = removed.length > 0;
    return {
      difference: { label: "Rules", change: same ? "unchanged" : "changed", lines },
      words: same
        ? "Nothing is different from the rules in force."
        : looser
          ? "It asks less of some call."
          : "It asks at least as much of every call, and holds at once.",
      ready: !same,
      confirm:
        looser && this.#alone ? { prompt: `Type “${word}” to save it`, placeholder: word } : null,
    };
  }

  change(wanted: NewTable) {
    if (this.judge(wanted).confirm && wanted.confirmation !== word) {
      throw {
        code: "invalid",
        message: `Type “${word}” to confirm it.`,
        field: "confirmation",
      } satisfies CommandError;
    }
    this.page = { ...this.page, base: "table", table: wanted.table, wanted: [] };
  }
}

const has = (table: readonly Rule[], rule: Rule) =>
  table.some((other) => JSON.stringify(other) === JSON.stringify(rule));
