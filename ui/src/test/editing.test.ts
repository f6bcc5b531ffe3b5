import { screen, within } from "@testing-library/svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { error } from "./fake/core";
import { plain } from "../lib/words";
import { a11y, heading, open, pass, settle } from "./window";

beforeEach(() => {
  vi.useFakeTimers();
});

const dialog = () => within(screen.getByRole("dialog", { name: "Edit" }));
const ask = () => dialog().getByRole("button", { name: /^Ask for this instead/ });

describe("editing what is asked for", () => {
  it("e opens a form filled with the arguments, says what sending does, and shows what changes as it is typed", async () => {
    const { core, user } = await open({ company: true });
    await user.keyboard("e");
    await settle();
    expect(dialog().getByText(/another person has to approve it/)).toBeVisible();
    const subject = dialog().getByLabelText(/^Subject/);
    expect(subject).toBeRequired();
    expect(ask()).toHaveAttribute("aria-disabled", "true");
    expect(dialog().getByText(/it asks for the same as before/)).toBeVisible();
    await user.clear(subject);
    await user.type(subject, "Second reminder");
    await pass(200);
    const changes = within(dialog().getByRole("region", { name: "What changes" }));
    expect(changes.getByText("Changed")).toBeVisible();
    expect(changes.getByText("Second reminder")).toBeVisible();
    expect(changes.getByText(/^Unchanged: /)).toHaveTextContent("To");
    expect(await a11y()).toEqual([]);
    await user.click(ask());
    await settle();
    const sent = core.calledWith("submit_edit")[0]?.edit as { entered: { name: string }[] };
    expect(sent.entered).toContainEqual({ name: "subject", text: "Second reminder" });
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  it("an empty field that is needed says so at the field, and nothing is sent", async () => {
    const { core, user } = await open();
    await user.keyboard("e");
    await settle();
    await user.clear(dialog().getByLabelText(/^Subject/));
    await pass(200);
    expect(dialog().getByLabelText(/^Subject/)).toHaveAccessibleDescription("“subject” is needed.");
    await user.click(ask());
    await settle();
    expect(core.calledWith("submit_edit")).toHaveLength(0);
  });

  it("what the tenant says of a field stands at that field", async () => {
    const { user } = await open({
      failing: { submit_edit: error("invalid", "“nobody” is not an address.", "to") },
    });
    await user.keyboard("e");
    await settle();
    await user.type(dialog().getByLabelText(/^To/), "\nnobody");
    await pass(200);
    await user.click(ask());
    await settle();
    expect(dialog().getByLabelText(/^To/)).toHaveAccessibleDescription(
      "“nobody” is not an address.",
    );
    await user.type(dialog().getByLabelText(/^To/), "@example.com");
    await settle();
    expect(dialog().getByLabelText(/^To/)).not.toHaveAccessibleDescription(/is not an address/);
  });

  it("offline it says that what was typed is kept, and it is there again", async () => {
    const kept = "The tenant cannot be reached. What you typed is kept on this device.";
    const { core, user } = await open({
      offline: true,
      failing: { submit_edit: error("offline", kept) },
    });
    await user.keyboard("e");
    await settle();
    await user.type(dialog().getByLabelText(/^Subject/), " again");
    await pass(200);
    await user.click(ask());
    await settle();
    expect(dialog().getByRole("alert")).toHaveTextContent(kept);
    await user.type(dialog().getByLabelText(/^Subject/), "!");
    await user.keyboard("{Escape}");
    await settle();
    const last = core.calledWith("draft_edit").at(-1)?.edit;
    expect(last, "with its last letter").toMatchObject({ id: core.cards[0]?.id });
    expect(JSON.stringify(last)).toContain("again!");
    await user.keyboard("e");
    await settle();
    expect((dialog().getByLabelText(/^Subject/) as HTMLInputElement).value).toMatch(/ again!$/);
    expect(dialog().getByText("This is what you typed before.")).toBeVisible();
    await user.click(dialog().getByRole("button", { name: "Throw away" }));
    await settle();
    await user.keyboard("e");
    await settle();
    expect((dialog().getByLabelText(/^Subject/) as HTMLInputElement).value).not.toMatch(/ again!$/);
  });

  it("the card of an edit shows what is different and leads to the one before, and back", async () => {
    const { core, user } = await open({ company: true });
    const first = heading();
    await user.keyboard("e");
    await settle();
    await user.type(dialog().getByLabelText(/^Subject/), ", corrected");
    await pass(200);
    await user.click(ask());
    await settle();
    const made = core.cards.find((one) => one.replaces);
    core.emit({ kind: "navigate", id: made?.id ?? "" });
    await settle();
    const different = within(screen.getByRole("region", { name: "What is different" }));
    expect(different.getByText(/, corrected/)).toBeVisible();
    expect(await a11y()).toEqual([]);
    await user.click(different.getByRole("button", { name: "Open the one before" }));
    await settle();
    expect(heading()).toBe(first);
    expect(screen.getByText(/^Edited by Ada Byron\./)).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Open what took its place" }));
    await settle();
    expect(screen.getByRole("region", { name: "What is different" })).toBeVisible();
  });

  it("where editing is not offered there is no button, and the key does nothing", async () => {
    const { core, user } = await open();
    for (const one of core.cards) one.arm.edit = null;
    core.emit({ kind: "inbox_changed" });
    await settle();
    expect(screen.queryByRole("button", { name: /^Edit/ })).toBeNull();
    await user.keyboard("e");
    await settle();
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  it("what came to nothing is asked for again as it was, from its card", async () => {
    const { core, user } = await open({ company: true });
    const failed = core.cards.find((card) => card.state.kind === "failed");
    if (!failed) throw new Error("nothing has failed in the samples");
    failed.arm.edit = {
      armed: true,
      why: null,
      afterMs: 0,
      mustReadToEnd: false,
      openFirst: false,
    };
    await user.keyboard("gh");
    await settle();
    while (heading() !== plain(failed.sentence)) {
      await user.keyboard("j");
      await settle();
    }
    await user.keyboard("e");
    await settle();
    const again = within(screen.getByRole("dialog", { name: "Ask again" }));
    expect(again.getByText(/That this one came to nothing stands on it/)).toBeVisible();
    expect(await a11y()).toEqual([]);
    await user.keyboard("{Control>}{Enter}{/Control}");
    await settle();
    expect(core.calledWith("submit_edit")).toHaveLength(1);
    expect(core.cards[0]?.retryOf).toBe(failed.id);
    expect(screen.queryByRole("dialog")).toBeNull();
  });
});
