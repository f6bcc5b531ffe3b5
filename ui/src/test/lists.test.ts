import { screen } from "@testing-library/svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { error } from "./fake/core";
import { a11y, heading, open, pass, selected, settle } from "./window";

beforeEach(() => {
  vi.useFakeTimers();
});

describe("moving", () => {
  it("goes down and up with j and k and with the arrows, and stops at the ends", async () => {
    const { user } = await open();
    expect(selected()).toContain("d.okafor@northwind");
    await user.keyboard("j{ArrowDown}");
    await settle();
    expect(heading()).toContain("api.payments.example");
    await user.keyboard("kkkk");
    await settle();
    expect(heading()).toContain("d.okafor@northwind");
  });

  it("opens the card with Enter, and comes back to the list with Escape", async () => {
    const { user } = await open();
    screen.getByRole("listbox").focus();
    await user.keyboard("{Enter}");
    await settle();
    expect(document.activeElement?.id).toBe("card-heading");
    await user.keyboard("{Escape}");
    await settle();
    expect(screen.getByRole("listbox")).toHaveFocus();
  });

  it("names the selected row as the active descendant of the list", async () => {
    const { core, user } = await open();
    await user.keyboard("j");
    await settle();
    expect(screen.getByRole("listbox")).toHaveAttribute(
      "aria-activedescendant",
      `row-${core.cards[1]?.id}`,
    );
  });

  it("leaves letters to text fields", async () => {
    const { core, user } = await open();
    await user.keyboard("j");
    await pass(700);
    await user.keyboard("/");
    await user.keyboard("a");
    await pass(100);
    expect(screen.getByRole("searchbox")).toHaveValue("a");
    expect(core.calledWith("decide")).toHaveLength(0);
  });

  it("keeps the letters of a search in its field while other cards come and go beside it", async () => {
    const { core, user } = await open();
    await user.keyboard("o");
    await pass(3_000);
    await user.keyboard("/");
    for (const letter of "quarterly") {
      await user.keyboard(letter);
      await pass(3_000);
    }
    expect(screen.getByRole("searchbox")).toHaveFocus();
    expect(screen.getByRole("searchbox")).toHaveValue("quarterly");
    expect(core.calledWith("decide")).toEqual([]);
  });

  it("ignores single letters once they are switched off, but not the arrows in the list", async () => {
    const { user } = await open();
    const { settings } = await import("../lib/settings.svelte");
    settings.singleKeys = false;
    await user.keyboard("j");
    await settle();
    expect(selected()).toContain("d.okafor@northwind");
    screen.getByRole("listbox").focus();
    await user.keyboard("{ArrowDown}");
    await settle();
    expect(selected()).toContain("quarterly report");
  });

  it("opens the card that a notification points to, and decides nothing", async () => {
    const { core } = await open();
    const id = core.cards[4]?.id ?? "";
    core.emit({ kind: "navigate", id });
    await settle();
    expect(heading()).toContain("Order toner");
    expect(core.calledWith("decide")).toHaveLength(0);
  });

  it("keeps only a window of rows in the page, however many there are", async () => {
    await open({ many: 2_000 });
    expect(screen.getByRole("listbox")).toBeVisible();
    expect(screen.getAllByRole("option").length).toBeLessThan(60);
    expect(screen.getByText("2,013", { selector: "header span" })).toBeVisible();
  });
});

describe("hints", () => {
  it("make the page ask again: a new proposal appears without a reload", async () => {
    const { core } = await open();
    core.cards = core.cards.filter((one) => one.tool !== "http.request");
    core.emit({ kind: "inbox_changed" });
    await settle();
    expect(screen.queryByText(/api\.payments\.example/)).toBeNull();
  });
});

describe("nothing to show", () => {
  it("on a first run offers to connect an agent or to load the samples", async () => {
    const { core, user } = await open({ empty: true });
    expect(
      screen.getByRole("heading", { name: "No agent has asked for anything yet" }),
    ).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Load samples" }));
    await settle();
    expect(core.calledWith("load_samples")).toHaveLength(1);
    expect(heading()).toContain("d.okafor@northwind");
  });

  it("at inbox zero says what was done today", async () => {
    const { core } = await open();
    core.cards = core.cards.filter((one) => one.state.kind !== "proposed");
    core.emit({ kind: "inbox_changed" });
    await settle();
    expect(screen.getByRole("heading", { name: "Nothing waits for you" })).toBeVisible();
    expect(screen.getByText(/4 approved, 1 rejected, 23 calls allowed by policy/)).toBeVisible();
  });

  it("under a filter offers to clear it", async () => {
    const { user } = await open();
    await user.keyboard("/");
    await user.keyboard("no such thing");
    await pass(100);
    expect(screen.getByRole("heading", { name: "No match" })).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Clear the filter" }));
    await settle();
    expect(selected()).toContain("d.okafor@northwind");
  });

  it("is not what being offline looks like: a banner tells the age of the data", async () => {
    await open({ offline: true });
    const said = screen.getAllByRole("status").map((one) => one.textContent);
    const banner = said.join(" ").replace(/\s+/g, " ");
    expect(banner).toContain("Offline.");
    expect(banner).toContain("as of 47 min ago");
    expect(banner).toContain("2 wait to be sent");
    expect(screen.getByRole("listbox")).toBeVisible();
  });

  it("while offline does not claim that no agent ever asked", async () => {
    await open({ empty: true, offline: true });
    expect(screen.queryByText("No agent has asked for anything yet")).toBeNull();
    expect(screen.getByText(/As of the last connection/)).toBeVisible();
  });

  it("because the list could not be read says so and tries again", async () => {
    const { core, user } = await open({
      failing: { inbox: error("internal", "The local database could not be read.") },
    });
    expect(screen.getByRole("alert")).toHaveTextContent("The local database could not be read.");
    core.failing = {};
    await user.click(screen.getByRole("button", { name: "Try again" }));
    await settle();
    expect(selected()).toContain("d.okafor@northwind");
  });
});

it("shows the journal's alarm on every page", async () => {
  const { user } = await open({ alarm: "The journal does not continue the one seen at 09:40." });
  expect(screen.getByRole("alert")).toHaveTextContent("does not continue");
  await user.keyboard("gs");
  await settle();
  expect(screen.getByRole("alert")).toHaveTextContent("does not continue");
});

it("gives what shows two histories away as a file, from the alarm, and says what went wrong with it", async () => {
  const { core, user } = await open({ alarm: "The journal does not continue the one seen." });
  screen.getByRole("button", { name: "Save the evidence…" }).focus();
  await user.keyboard("{Enter}");
  await settle();
  expect(core.calledWith("save_evidence")).toHaveLength(1);
  expect(
    screen.getByText("/home/ada/countersign-evidence-2026-11-23.json").closest("[role=status]"),
  ).toHaveTextContent("Both signed heads are in");
  const full = "There is no room for it there.";
  core.failing = { save_evidence: error("refused", full) };
  await user.click(screen.getByRole("button", { name: "Save the evidence…" }));
  await settle();
  expect(screen.getByText(full)).toBeVisible();
  expect(await a11y()).toEqual([]);
});

describe("the three lists pass axe", () => {
  it.each([["gi"], ["gp"], ["gh"]])("after %s", async (path) => {
    const { user } = await open();
    await user.keyboard(path);
    await settle();
    expect(screen.getAllByRole("option").length).toBeGreaterThan(0);
    expect(await a11y()).toEqual([]);
  });
});
