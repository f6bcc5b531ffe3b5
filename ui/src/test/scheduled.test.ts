import { screen } from "@testing-library/svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { a11y, open, settle } from "./window";

beforeEach(() => {
  vi.useFakeTimers();
});

describe("a scheduled time", () => {
  it("stands on the card of what is not to run before", async () => {
    const { core } = await open();
    const first = core.cards[0];
    if (!first) throw new Error("no card");
    first.notBefore = "2031-05-12T08:30:00.000Z";
    core.emit({ kind: "proposal_changed", id: first.id });
    await settle();
    expect(screen.getByText(/^Not to run before/)).toHaveTextContent(/12 May 2031/);
    expect(await a11y()).toEqual([]);
  });
});
