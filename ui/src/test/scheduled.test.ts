import { fireEvent, screen, within } from "@testing-library/svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { onClock } from "../lib/time";
import { error } from "./fake/core";
import { a11y, open, pass, settle } from "./window";

beforeEach(() => {
  vi.useFakeTimers();
});

const dialog = () => within(screen.getByRole("dialog"));
const field = () => dialog().getByLabelText<HTMLInputElement>("Not before (optional)");
const soon = (minutes: number) => onClock(new Date(Date.now() + minutes * 60_000).toISOString());

async function give(time: string) {
  await fireEvent.input(field(), { target: { value: time } });
  await pass(200);
}

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

  it("is given with a new request, on the reader's clock, and the field says what it means", async () => {
    const { core, user } = await open();
    await user.keyboard("n");
    await settle();
    await user.keyboard("create task: Water the plants");
    expect(field()).toHaveAccessibleDescription(
      /^It can be approved at any time, and begins no earlier than this\. Your own time, /,
    );
    const time = soon(90);
    await give(time);
    expect(await a11y()).toEqual([]);
    await user.click(dialog().getByRole("button", { name: /^Propose/ }));
    await settle();
    const notBefore = new Date(time).toISOString();
    const sent = { text: "create task: Water the plants", notBefore };
    expect(core.calledWith("submit_request")).toEqual([sent]);
    expect(core.cards[0]?.notBefore).toBe(notBefore);
  });

  it("that has passed is refused at the field, and so is half a time", async () => {
    const { core, user } = await open();
    await user.keyboard("n");
    await settle();
    await user.keyboard("create task: Water the plants");
    await give(soon(-5));
    expect(field()).toHaveAccessibleDescription(/^That time has passed\./);
    expect(field()).toBeInvalid();
    const propose = dialog().getByRole("button", { name: /^Propose/ });
    expect(propose).toHaveAttribute("aria-disabled", "true");
    Object.defineProperty(field(), "validity", { value: { badInput: true } });
    await fireEvent.keyUp(field());
    await pass(200);
    expect(field(), "half a time is not no time").toHaveAccessibleDescription(
      /^Give a day and a time/,
    );
    await user.click(propose);
    await settle();
    expect(core.calledWith("submit_request")).toHaveLength(0);
  });

  it("that the tenant refuses says so at the field until something else is asked for", async () => {
    const late = "It would expire before it may run: give a time before it expires";
    const { user } = await open({
      failing: { submit_request: error("invalid", late, "notBefore") },
    });
    await user.keyboard("n");
    await settle();
    await user.keyboard("create task: Water the plants");
    await give(soon(90));
    await user.click(dialog().getByRole("button", { name: /^Propose/ }));
    await settle();
    expect(field()).toHaveAccessibleDescription(late);
    expect(dialog().queryByRole("alert")).toBeNull();
    await give(soon(60));
    expect(field()).not.toHaveAccessibleDescription(late);
  });

  it("is shown by an edit, moved and dropped, kept as it is typed, and stands among what changes", async () => {
    const { core, user } = await open({ company: true });
    const first = core.cards[0];
    if (!first) throw new Error("no card");
    const [was, then] = [soon(60), soon(120)];
    first.notBefore = new Date(was).toISOString();
    await user.keyboard("e");
    await settle();
    expect(field()).toHaveValue(was);
    await give(then);
    const changes = within(dialog().getByRole("region", { name: "What changes" }));
    expect(changes.getByText("Not before")).toBeVisible();
    await user.keyboard("{Escape}");
    await settle();
    await user.keyboard("e");
    await settle();
    expect(field(), "it was kept").toHaveValue(then);
    await give("");
    expect(await a11y()).toEqual([]);
    await user.click(dialog().getByRole("button", { name: /^Ask for this instead/ }));
    await settle();
    expect(core.calledWith("submit_edit")).toMatchObject([{ edit: { notBefore: "" } }]);
    expect(core.cards[0]?.notBefore).toBeNull();
  });

  it("that has passed is refused by an edit at the field", async () => {
    const { core, user } = await open({ company: true });
    await user.keyboard("e");
    await settle();
    await give(soon(-5));
    expect(field()).toHaveAccessibleDescription(/^That time has passed\./);
    await user.click(dialog().getByRole("button", { name: /^Ask for this instead/ }));
    await settle();
    expect(core.calledWith("submit_edit")).toHaveLength(0);
  });
});
