import { screen, within } from "@testing-library/svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { a11y, approveButton, open, pass, selected, settle } from "./window";

beforeEach(() => {
  vi.useFakeTimers();
});

const questions = () => within(screen.getByRole("region", { name: "Questions" }));

describe("asking back", () => {
  it("c asks the proposer; the card and the row say so, and it can still be decided", async () => {
    const { core, user } = await open();
    await user.keyboard("c");
    await settle();
    const box = screen.getByLabelText(/^What do you want to know/);
    expect(box).toHaveFocus();
    expect(await a11y()).toEqual([]);
    await user.type(box, "Which account?{Enter}");
    await settle();
    expect(core.calledWith("ask")[0]).toEqual({ id: core.cards[0]?.id, text: "Which account?" });
    expect(questions().getByText("Which account?")).toBeVisible();
    expect(questions().getByText(/Its time to be decided goes on/)).toBeVisible();
    expect(selected()).toContain("You asked 10:04: Which account?");
    expect(approveButton()).toBeVisible();
    expect(await a11y()).toEqual([]);
  });

  it("nothing is asked without words, and Escape closes the box", async () => {
    const { core, user } = await open();
    await user.keyboard("c");
    await settle();
    await user.keyboard("{Enter}");
    await settle();
    expect(screen.getByText("Write something first.")).toBeVisible();
    expect(screen.getByLabelText(/^What do you want to know/)).toBeInvalid();
    await user.keyboard("{Escape}");
    await settle();
    expect(screen.queryByLabelText(/^What do you want to know/)).toBeNull();
    expect(core.cards[0]?.questions).toEqual([]);
  });

  it("whoever proposed it answers on the card", async () => {
    const { core, user } = await open({ company: true });
    const mine = core.cards[0];
    if (!mine) throw new Error("no card");
    mine.arm.ask = null;
    mine.questions = [
      {
        question: "q1",
        who: "Ben asked",
        at: mine.createdAt,
        text: [{ kind: "text", text: "What for?" }],
        answer: null,
        mayAnswer: { ...mine.arm.reject },
        onItsWay: false,
      },
    ];
    core.emit({ kind: "proposal_changed", id: mine.id });
    await settle();
    expect(screen.queryByRole("button", { name: /^Ask/ })).toBeNull();
    await user.click(questions().getByRole("button", { name: "Answer" }));
    await settle();
    await user.type(screen.getByLabelText("Your answer"), "To cross the river.");
    expect(await a11y()).toEqual([]);
    await user.click(questions().getByRole("button", { name: "Answer" }));
    await pass(100);
    expect(core.calledWith("answer")[0]).toEqual({
      id: mine.id,
      question: "q1",
      text: "To cross the river.",
    });
    expect(questions().getByText("To cross the river.")).toBeVisible();
  });

  it("hidden characters of a question are shown, and offline it says that it will be sent", async () => {
    const { user } = await open({ offline: true });
    await user.keyboard("c");
    await settle();
    await user.type(screen.getByLabelText(/^What do you want to know/), "Pay \u202eevil?{Enter}");
    await settle();
    expect(questions().getByText("U+202E")).toBeVisible();
    expect(questions().getByText(/saved on this device, will be sent/)).toBeVisible();
  });
});
