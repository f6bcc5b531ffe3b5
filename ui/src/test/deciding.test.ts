import { screen, within } from "@testing-library/svelte";
import type { UserEvent } from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Refused } from "../lib/bindings";
import { plain } from "../lib/words";
import { toDecide } from "./fake/samples";
import { approveButton, heading, open, pass, selected, settle } from "./window";
import { error } from "./fake/core";

const heldWords = "Rejected by you, can be undone";

beforeEach(() => {
  vi.useFakeTimers();
});

/** jsdom has no layout: the end of what will run is put where the test wants it. */
function endAt(pixels: number) {
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockImplementation(function (this: Element) {
    const isEnd =
      this.tagName === "DIV" &&
      this.childElementCount === 0 &&
      this.previousElementSibling?.tagName === "DL";
    return { top: isEnd ? pixels : 0, bottom: 500 } as DOMRect;
  });
}

describe("approving", () => {
  it("arms only after the card has been still for as long as the view model says", async () => {
    const { core, user } = await open();
    await user.keyboard("j");
    await settle();
    await pass(500);
    await user.keyboard("a");
    expect(core.calledWith("decide"), "500 ms is less than the 600 ms asked for").toHaveLength(0);
    await pass(150);
    await user.keyboard("a");
    await settle();
    expect(core.calledWith("decide")).toHaveLength(1);
  });

  it("sends the digest of the view and no content", async () => {
    const { core, user } = await open();
    await user.keyboard("j");
    await pass(700);
    await user.keyboard("a");
    await settle();
    const card = core.cards[1];
    expect(core.calledWith("decide")[0]).toEqual({
      form: {
        id: card?.id,
        viewDigest: card?.viewDigest,
        verdict: "approve",
        comment: null,
        confirmation: null,
      },
    });
  });

  it("goes on to the next item that the core names, and offers undo", async () => {
    const { core, user } = await open();
    await user.keyboard("j");
    await pass(700);
    await user.keyboard("a");
    await pass(1);
    expect(selected(), "the next row is selected at once").toContain("api.payments.example");
    expect(heading()).toContain("api.payments.example");
    await user.keyboard("z");
    await settle();
    expect(core.calledWith("undo")).toHaveLength(1);
    expect(heading(), "what was taken back is on screen again").toContain("quarterly report");
  });

  it("tells what has become of it as long as the message is there", async () => {
    const { core, user } = await open();
    await user.keyboard("j");
    await pass(700);
    await user.keyboard("a");
    await settle();
    const messages = screen.getByRole("region", { name: "Messages" });
    expect(messages).toHaveTextContent("Approved by you");
    const id = core.calledWith("decide")[0]?.form as { id: string };
    const done = { kind: "completed", words: "Done 10:02", at: null, tone: "good" } as const;
    core.cards = core.cards.map((card) => (card.id === id.id ? { ...card, state: done } : card));
    core.emit({ kind: "proposal_changed", id: id.id });
    await settle();
    expect(messages).toHaveTextContent("Done 10:02");
    expect(messages).not.toHaveTextContent("Approved by you");
  });

  it("tells also later, and until it is read, that what was approved has failed", async () => {
    const { core, user } = await open();
    await user.keyboard("j");
    await pass(700);
    await user.keyboard("a");
    await settle();
    const decided = core.calledWith("decide")[0]?.form as { id: string };
    const id = decided.id;
    await pass(30_000);
    const messages = screen.getByRole("region", { name: "Messages" });
    expect(messages).toHaveTextContent("");
    const words = "Failed 10:02: the mail server did not answer";
    const failed = { kind: "failed", words, at: null, tone: "bad" } as const;
    core.cards = core.cards.map((card) => (card.id === id ? { ...card, state: failed } : card));
    core.emit({ kind: "proposal_changed", id });
    await settle();
    await pass(60_000);
    expect(messages).toHaveTextContent(words);
    core.emit({ kind: "proposal_changed", id });
    await settle();
    expect(messages.textContent.split(words)).toHaveLength(2);
    await user.click(screen.getByRole("button", { name: "Open" }));
    await settle();
    expect(screen.getByRole("region", { name: "Messages" })).not.toHaveTextContent(words);
    expect(core.calledWith("card").at(-1)).toEqual({ id });
  });

  it("never approves a high-risk item straight from the list: the key opens the card", async () => {
    const { core, user } = await open();
    endAt(100);
    await pass(2_500);
    await user.keyboard("a");
    await settle();
    expect(core.calledWith("decide")).toHaveLength(0);
    expect(document.activeElement?.id).toBe("card-heading");
    await pass(10);
    await user.keyboard("a");
    await settle();
    expect(core.calledWith("decide"), "from the open card the same key approves").toHaveLength(1);
  });

  it("stays off until everything that will run was scrolled into view", async () => {
    endAt(900);
    const { core, user } = await open();
    await user.keyboard("o");
    await pass(2_500);
    expect(approveButton()).toHaveAttribute("aria-disabled", "true");
    expect(screen.getByText("Read to the end first.")).toBeVisible();
    await user.keyboard("a");
    expect(core.calledWith("decide")).toHaveLength(0);
    endAt(400);
    document.querySelector("[data-card]")?.dispatchEvent(new Event("scroll"));
    await settle();
    expect(approveButton()).not.toHaveAttribute("aria-disabled");
  });

  it("is read on with the space bar from the list, which presses a button where one has the focus", async () => {
    const turned = vi.fn<(to?: ScrollToOptions) => void>();
    Element.prototype.scrollBy = turned as Element["scrollBy"];
    const { user } = await open({});
    await user.keyboard(" ");
    expect(turned).toHaveBeenCalledTimes(1);
    expect(turned.mock.lastCall?.[0]?.top).toBeGreaterThan(0);
    await user.keyboard("{Shift>} {/Shift}");
    expect(turned.mock.lastCall?.[0]?.top).toBeLessThan(0);
    screen.getByRole("button", { name: /New request/ }).focus();
    await user.keyboard(" ");
    expect(turned).toHaveBeenCalledTimes(2);
  });

  it("shows why not when the view model does not arm the button", async () => {
    const { core, user } = await open();
    for (let n = 0; n < 6; n++) await user.keyboard("j");
    await pass(3_000);
    expect(screen.getByText(/has not shown its preview yet/)).toBeVisible();
    await user.click(approveButton());
    expect(core.calledWith("decide")).toHaveLength(0);
  });

  it("sends what was typed where the card asks for it, and shows the refusal at the field", async () => {
    const { core, user } = await open();
    endAt(100);
    await user.keyboard("jj");
    await settle();
    await user.keyboard("o");
    await pass(2_500);
    await user.type(screen.getByLabelText("Type the amount to approve"), "12{Enter}");
    await settle();
    expect(screen.getByRole("alert")).toHaveTextContent("That is not the amount on the card");
    await user.clear(screen.getByLabelText("Type the amount to approve"));
    await user.type(screen.getByLabelText("Type the amount to approve"), "12400.00{Enter}");
    await settle();
    expect(core.calledWith("decide")).toHaveLength(2);
    expect(screen.queryByRole("alert")).toBeNull();
  });

  it("starts the wait again when the bytes of the open card change, and says so", async () => {
    const { core, user } = await open();
    await user.keyboard("j");
    await pass(700);
    const shown = core.cards[1];
    core.cards = core.cards.map((one) => (one === shown ? { ...one, viewDigest: "another" } : one));
    core.emit({ kind: "proposal_changed", id: shown?.id ?? "" });
    await settle();
    expect(screen.getByText(/This card changed while it was open/)).toBeVisible();
    await user.keyboard("a");
    expect(core.calledWith("decide"), "the new bytes have just appeared").toHaveLength(0);
  });

  it("keeps the card and says what happened when the core refuses", async () => {
    const { core, user } = await open();
    core.failing.decide = error(
      "refused",
      "It was already decided by Ben at 09:12. Nothing was signed.",
    );
    await user.keyboard("j");
    await pass(700);
    await user.keyboard("a");
    await settle();
    expect(screen.getByRole("alert")).toHaveTextContent("already decided by Ben");
    expect(heading()).toContain("quarterly report");
  });

  it("says in words that an approval made offline is only saved here", async () => {
    const { user } = await open({ offline: true });
    await user.keyboard("j");
    await pass(700);
    await user.keyboard("a");
    await settle();
    expect(
      screen.getByText("Saved on this device, counts only if sent before 14:30"),
    ).toBeVisible();
  });
});

describe("rejecting", () => {
  const messages = () => screen.getByRole("region", { name: "Messages" });

  /** Rejects the second card, “Review the quarterly report”. */
  async function reject(user: UserEvent) {
    await user.keyboard("j");
    await pass(700);
    await user.keyboard("r");
    await settle();
    await user.keyboard("Not needed{Enter}");
    await settle();
  }

  it("asks for the reason and tells the core at once, which holds it before it signs", async () => {
    const { core, user } = await open();
    await user.keyboard("j");
    await pass(700);
    await user.keyboard("r");
    await settle();
    expect(screen.getByLabelText(/Why do you reject it/)).toHaveFocus();
    await user.keyboard("Not needed{Enter}");
    await settle();
    expect(core.calledWith("decide"), "what is not told would be lost with the window").toEqual([
      {
        form: {
          id: core.cards[1]?.id,
          viewDigest: core.cards[1]?.viewDigest,
          verdict: "reject",
          comment: "Not needed",
          confirmation: null,
        },
      },
    ]);
    expect(screen.getByText(heldWords), "the words are the core's").toBeVisible();
    expect(screen.getByText("5 s")).toBeVisible();
    await pass(5_300);
    expect(screen.queryByRole("button", { name: /^Undo/ }), "its time is over").toBeNull();
    expect(core.cards[1]?.state.words).toBe("Rejected by you");
  });

  it("opens the box for the reason while the card arms, and rejects only once it is armed", async () => {
    const { core, user } = await open();
    await user.keyboard("j");
    await settle();
    await user.keyboard("r");
    await settle();
    await user.keyboard("Not needed{Enter}");
    await settle();
    expect(core.calledWith("decide"), "the card has only just appeared").toEqual([]);
    expect(screen.getByLabelText(/Why do you reject it/), "nothing typed is lost").toHaveValue(
      "Not needed",
    );
    await pass(700);
    await user.keyboard("{Enter}");
    await settle();
    expect(core.calledWith("decide")).toHaveLength(1);
  });

  it("tells of a text that hides something with its stand-ins, as the row does", async () => {
    const { user } = await open();
    await user.keyboard("jjj");
    await pass(700);
    await user.keyboard("r");
    await settle();
    await user.keyboard("Hidden characters{Enter}");
    await settle();
    const standIn = messages().querySelector("[title^='A character that hides']");
    expect(standIn).toHaveTextContent("U+202E");
  });

  it("goes on to the next item before the core has answered", async () => {
    const { core, user } = await open();
    const answer = core.answer.bind(core);
    core.answer = (command, args) =>
      command === "decide" ? new Promise(() => {}) : answer(command, args);
    await reject(user);
    expect(selected()).toContain("api.payments.example");
    expect(heading()).toContain("api.payments.example");
  });

  it("is undone by the core while that holds it", async () => {
    const { core, user } = await open();
    await reject(user);
    await pass(3_000);
    await user.keyboard("z");
    await settle();
    expect(core.calledWith("undo")).toEqual([{ id: core.cards[1]?.id }]);
    expect(heading()).toContain("quarterly report");
    await pass(10_000);
    expect(core.cards[1]?.state.kind, "nothing was signed").toBe("proposed");
    expect(approveButton(), "it is this person's to decide again").not.toHaveAttribute(
      "aria-disabled",
    );
  });

  it("stands in the list of what is in progress, in the core's words, and is taken back there", async () => {
    const { core, user } = await open();
    await reject(user);
    expect(selected()).not.toContain("quarterly report");
    await user.keyboard("gp");
    await settle();
    const rows = screen.getAllByRole("option");
    const held = rows.find((one) => one.textContent?.includes("quarterly report"));
    expect(held).toHaveTextContent(heldWords);
    await user.click(held as HTMLElement);
    await settle();
    await user.click(screen.getByRole("button", { name: /^Take back/ }));
    await settle();
    expect(core.cards[1]?.state.kind).toBe("proposed");
    expect(
      screen.queryByRole("button", { name: /^Undo/ }),
      "no message offers to undo it once more",
    ).toBeNull();
  });

  it("says so when the undo comes too late", async () => {
    const { core, user } = await open();
    await reject(user);
    core.failing.undo = error("refused", "It cannot be undone any more.");
    await user.keyboard("z");
    await settle();
    expect(messages()).toHaveTextContent("It cannot be undone any more.");
  });

  it("comes back to the card, and says why, when the core refuses", async () => {
    const { core, user } = await open();
    core.failing.decide = error("refused", "It was already decided by Ben at 09:12.");
    await reject(user);
    expect(heading()).toContain("quarterly report");
    expect(screen.getByRole("alert")).toHaveTextContent("already decided by Ben");
    expect(messages()).toHaveTextContent("Not rejected.");
  });

  it("insists on a reason when the view model does", async () => {
    const { core, user } = await open();
    await user.keyboard("j");
    await pass(700);
    await user.keyboard("r");
    await user.keyboard("{Enter}");
    await pass(6_000);
    expect(screen.getByText("A reason is needed.")).toBeVisible();
    expect(core.calledWith("decide")).toHaveLength(0);
  });

  it("takes a preset as the reason, and Escape closes the box", async () => {
    const { user } = await open();
    await user.keyboard("j");
    await pass(700);
    await user.keyboard("r");
    await user.click(screen.getByRole("button", { name: "Wrong content" }));
    expect(screen.getByLabelText(/Why do you reject it/)).toHaveValue("Wrong content");
    await user.keyboard("{Escape}");
    expect(screen.queryByLabelText(/Why do you reject it/)).toBeNull();
    expect(screen.getByRole("listbox"), "the keys go on working").toHaveFocus();
  });
});

describe("untrusted text", () => {
  it("is shown as text, with what hides or reorders made visible", async () => {
    const { user } = await open();
    await user.keyboard("jjj");
    await settle();
    expect(heading()).toContain("U+202E");
    expect(heading()).not.toContain("\u202e");
    expect(document.querySelector("[data-card] script")).toBeNull();
    expect(document.querySelector("[data-card]")?.textContent).toContain(
      "<script>alert('hello')</script>",
    );
    expect(screen.getByText("Said by the proposer. Not verified.")).toBeVisible();
  });

  it("shows every argument that will run", async () => {
    const { user } = await open();
    const critical = toDecide()[2];
    await user.keyboard("jj");
    await settle();
    const text = document.querySelector("[data-card]")?.textContent ?? "";
    expect(critical?.body).toHaveLength(5);
    for (const part of [
      "POST",
      "api.payments.example",
      "/v1/transfers?urgent=true",
      "12,400.00 EUR",
      "Idempotency-Key: 0198c2a4-7b1e",
      "DE02 1203 0000 0000 2020 51",
      "Yes",
    ]) {
      expect(text).toContain(part);
    }
  });
});

describe("the card", () => {
  it("shows the addresses of one header together, and which of them are new", async () => {
    const { user } = await open();
    await user.keyboard("jjj");
    await settle();
    const to = screen.getByText("3 addresses").closest("div");
    expect(to).toHaveTextContent("marta.lind@byron-partners.com");
    expect(to, "each of the others is told apart").toHaveTextContent("Not written to before");
    expect(screen.getAllByText(/^To$/, { selector: "dt", exact: false })).toHaveLength(1);
  });
});

describe("what was written", () => {
  it("is erased with a reason by who may, and said to be for good before", async () => {
    const { core, user } = await open();
    const done = core.cards.find((card) => card.state.kind === "completed");
    if (!done) throw new Error("nothing is done in the samples");
    done.mayErase = true;
    await user.keyboard("gh");
    await settle();
    while (heading() !== plain(done.sentence)) {
      await user.keyboard("j");
      await settle();
    }
    await user.click(screen.getByRole("button", { name: "Erase what was written" }));
    await settle();
    expect(screen.getByText(/go for good/)).toBeVisible();
    expect(
      screen.getByText(/the later request tells who denied it and why until that one is erased/),
    ).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Erase" }));
    expect(core.calledWith("erase")).toEqual([]);
    await user.type(screen.getByLabelText("Reason"), "Asked for");
    await user.click(screen.getByRole("button", { name: "Erase" }));
    await settle();
    expect(core.calledWith("erase")).toEqual([{ id: done.id, reason: "Asked for" }]);
    expect(screen.getByRole("region", { name: "Messages" })).toHaveTextContent("Erased");
  });

  it("is not offered where the view model does not offer it", async () => {
    const { user } = await open();
    await user.keyboard("gh");
    await settle();
    expect(screen.queryByRole("button", { name: "Erase what was written" })).toBeNull();
  });
});

describe("what came back", () => {
  it("is on the card of what has run, with what hides made visible, and of what is not known as well", async () => {
    const { user } = await open();
    await user.keyboard("gh");
    await settle();
    await user.keyboard("j");
    await settle();
    expect(heading()).toContain("lost@example.com");
    const result = screen.getByRole("region", { name: "What came back" });
    expect(result).toHaveTextContent("Not verified");
    expect(result).toHaveTextContent("<0192f3a4@acme.example>");
    expect(result).toHaveTextContent("450 U+202Elater");
    expect(result).toHaveTextContent("free: 12 GB");
    expect(screen.getAllByText(/It is not tried again/)).not.toHaveLength(0);
  });

  it("is no heading over nothing", async () => {
    await open();
    expect(screen.queryByRole("region", { name: "What came back" })).toBeNull();
  });
});

describe("what nobody knows", () => {
  it("is settled by what somebody found, and says so", async () => {
    const { core, user } = await open();
    await user.keyboard("gh");
    await settle();
    await user.keyboard("j");
    await settle();
    expect(screen.getByText(/then say what you found/)).toBeVisible();
    await user.type(screen.getByLabelText("How do you know?"), "It is in the sent folder.");
    await user.click(screen.getByRole("button", { name: "It happened" }));
    await settle();
    expect(core.calledWith("resolve")).toEqual([
      {
        form: {
          id: core.cards.find((card) => card.state.words.startsWith("It happened"))?.id,
          happened: true,
          note: "It is in the sent folder.",
          confirmation: null,
        },
      },
    ]);
    expect(screen.queryByRole("button", { name: "It did not happen" })).toBeNull();
  });
});

describe("withdrawing", () => {
  async function request(user: UserEvent) {
    await user.keyboard("n");
    await settle();
    await user.type(screen.getByLabelText("Request"), "create task: Tidy up");
    await settle();
    await user.keyboard("{Enter}");
    await settle();
    await user.keyboard("kkkk");
    await pass(700);
  }

  it("takes one's own request back with w, with the undo of a rejection", async () => {
    const { core, user } = await open();
    await request(user);
    expect(screen.getByRole("button", { name: /^Withdraw/ })).toBeEnabled();
    const mine = core.cards[0]?.id;
    await user.keyboard("w");
    await settle();
    expect(core.calledWith("withdraw")).toEqual([{ id: mine }]);
    expect(screen.getByRole("region", { name: "Messages" })).toHaveTextContent(
      "Taken back by you, can be undone",
    );
    await user.keyboard("z");
    await settle();
    expect(core.calledWith("undo")).toEqual([{ id: mine }]);
    await pass(700);
    await user.keyboard("w");
    await pass(6_000);
    expect(core.cards.find((card) => card.id === mine)?.state.kind).toBe("withdrawn");
  });

  it("is not offered where the view model does not offer it", async () => {
    const { core, user } = await open();
    await user.keyboard("j");
    await pass(700);
    expect(screen.queryByRole("button", { name: /^Withdraw/ })).toBeNull();
    await user.keyboard("w");
    await settle();
    expect(core.calledWith("withdraw")).toHaveLength(0);
  });
});

describe("what was signed here and does not count", () => {
  const cards = toDecide();
  const refused = (count: number): Refused[] =>
    cards.slice(0, count).map(({ id, sentence }) => ({
      id,
      sentence,
      state: {
        kind: "refused",
        words: "Your decision does not count: it had begun to run already. Done 14:30.",
        at: null,
        tone: "warn",
      },
    }));
  /** As the window is opened again: the core has told nobody yet. */
  async function refusedAtStart(count: number) {
    const opened = await open();
    opened.core.state = { ...opened.core.state, refused: refused(count) };
    opened.core.emit({ kind: "state_changed" });
    await settle();
    return opened;
  }
  const messages = () => screen.getByRole("region", { name: "Messages" });
  const told = () => within(messages()).queryAllByText(/does not count/);

  it("is told as soon as the window opens, and stays until somebody says that they have seen it", async () => {
    const { core, user } = await refusedAtStart(1);
    const about = plain(refused(1)[0]?.sentence ?? []);
    expect(within(messages()).getByText(about)).toBeVisible();
    await pass(60_000);
    core.emit({ kind: "state_changed" });
    await settle();
    expect(told(), "once, however often the frame is asked for").toHaveLength(1);
    await user.click(within(messages()).getByRole("button", { name: "Dismiss" }));
    await settle();
    expect(told()).toHaveLength(0);
    expect(core.calledWith("saw_refused")).toEqual([{ id: refused(1)[0]?.id }]);
  });

  it("leads to its card, which counts as seen", async () => {
    const { core, user } = await refusedAtStart(1);
    await user.click(within(messages()).getByRole("button", { name: "Open" }));
    await settle();
    expect(core.calledWith("saw_refused")).toHaveLength(1);
    expect(told()).toHaveLength(0);
  });

  it("does not fill the window after a day offline: the next ones come when these are seen", async () => {
    const { core, user } = await refusedAtStart(5);
    expect(told()).toHaveLength(3);
    for (let left = 5; left > 0; left--) {
      expect(told()).toHaveLength(Math.min(left, 3));
      const [first] = within(messages()).getAllByRole("button", { name: "Dismiss" });
      await user.click(first as HTMLElement);
      await settle();
    }
    expect(core.calledWith("saw_refused")).toHaveLength(5);
  });
});
