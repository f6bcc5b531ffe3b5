import { screen, within } from "@testing-library/svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { NewTable, Rule } from "../lib/bindings";
import { error, type Scenario } from "./fake/core";
import { a11y, open, settle } from "./window";

beforeEach(() => {
  vi.useFakeTimers();
});

const rules = () => within(screen.getByRole("region", { name: "Rules" }));

async function settings(scenario: Scenario = { company: true }) {
  const opened = await open(scenario);
  await opened.user.keyboard("gs");
  await settle();
  return opened;
}

const twoForMail: Rule = {
  tool: "email.send",
  risk: "high",
  people: 2,
  assurance: "device",
  minutes: 480,
  hold: 300,
  keep: 2555,
};

describe("approval rules", () => {
  it("without rules it says what holds, and a first rule is written, judged by the core, and saved", async () => {
    const { core, user } = await settings();
    expect(rules().getByText(/^No rules of your own/)).toBeVisible();
    await user.click(rules().getByRole("button", { name: "Add a rule" }));
    await settle();
    const first = within(rules().getByRole("group", { name: "Rule 1" }));
    await user.selectOptions(first.getByLabelText("Tool"), "email.send");
    await user.selectOptions(first.getByLabelText("From risk"), "High");
    await user.selectOptions(first.getByLabelText("How sure"), "On their own device");
    await user.selectOptions(first.getByLabelText("Time to decide"), "8 hours");
    await user.selectOptions(first.getByLabelText("Time to undo"), "5 minutes");
    await user.selectOptions(first.getByLabelText("Keep what was written"), "7 years");
    await settle();
    expect(rules().getByText(/holds at once/)).toBeVisible();
    expect(await a11y()).toEqual([]);
    await user.click(rules().getByRole("button", { name: "Save the rules" }));
    await settle();
    expect(core.calledWith("change_rules")[0]?.table).toEqual({
      base: null,
      table: [twoForMail],
      confirmation: null,
    } satisfies NewTable);
    const row = within(rules().getByRole("table")).getAllByRole("row")[1];
    expect(row).toHaveTextContent(
      /Send E-mail.*High and above.*2.*On their own device.*8 hours.*5 minutes.*7 years/,
    );
    expect(await a11y()).toEqual([]);
  });

  it("less is asked only once a second person, who reads them here, agrees", async () => {
    const { core, user } = await settings();
    core.rules.page.wanted = [
      {
        words: "Ben wants the rules to ask less, 10:04.",
        at: "2026-11-22T10:04:00.000Z",
        difference: {
          label: "Rules",
          change: "changed",
          lines: [{ change: "removed", text: [{ kind: "text", text: "Every tool: 2 people." }] }],
        },
        table: [],
        confirm: { allowed: true, why: null },
      },
    ];
    core.emit({ kind: "state_changed" });
    await settle();
    const waits = within(screen.getByRole("region", { name: /wait for a second person/ }));
    expect(waits.getByText("Every tool: 2 people.")).toBeVisible();
    expect(await a11y()).toEqual([]);
    await user.click(waits.getByRole("button", { name: "Agree" }));
    await settle();
    expect(core.calledWith("change_rules")).toHaveLength(1);
    expect(screen.queryByRole("region", { name: /wait for a second person/ })).toBeNull();
  });

  it("where nobody else is there a word has to be typed, and a wrong one says so", async () => {
    const { core, user } = await settings({});
    core.rules.page.table = [twoForMail];
    core.emit({ kind: "state_changed" });
    await settle();
    await user.click(rules().getByRole("button", { name: "Change" }));
    await settle();
    await user.click(rules().getByRole("button", { name: "Remove rule 1" }));
    await settle();
    const word = rules().getByLabelText("Type “loosen” to save it");
    await user.type(word, "yes");
    await user.click(rules().getByRole("button", { name: "Save the rules" }));
    await settle();
    expect(rules().getByRole("alert")).toHaveTextContent("Type “loosen” to confirm it.");
    expect(word).toBeInvalid();
    await user.clear(word);
    await user.type(word, "loosen{Enter}");
    await settle();
    expect(rules().getByText(/^No rules of your own/)).toBeVisible();
  });

  it("whoever does not manage reads them, and sees why they cannot be changed", async () => {
    const { core, user } = await settings();
    core.rules.page.edit = { allowed: false, why: "Owners and admins write the rules." };
    core.emit({ kind: "state_changed" });
    await settle();
    const button = rules().getByRole("button", { name: "Add a rule" });
    expect(button).toHaveAttribute("aria-disabled", "true");
    expect(button).toHaveAttribute("title", "Owners and admins write the rules.");
    await user.click(button);
    expect(rules().queryByRole("group", { name: "Rule 1" })).toBeNull();
  });

  it("rules that cannot be read say so and can be tried again", async () => {
    const { core, user } = await settings({
      failing: { approval_rules: error("internal", "The local database could not be read.") },
    });
    expect(rules().getByRole("alert")).toHaveTextContent("could not be read");
    core.failing = {};
    await user.click(rules().getByRole("button", { name: "Try again" }));
    await settle();
    expect(rules().getByText(/^No rules of your own/)).toBeVisible();
  });
});
