import { screen, within } from "@testing-library/svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { route } from "../lib/route.svelte";
import { plain } from "../lib/words";
import { a11y, heading, open, settle } from "./window";

beforeEach(() => {
  vi.useFakeTimers();
});

describe("the radar", () => {
  it("says whose move it is, what waits too long first, and leads to it", async () => {
    const { core, user } = await open();
    const late = core.cards.find((card) => card.state.kind === "proposed");
    if (!late) throw new Error("nothing waits in the samples");
    late.createdAt = "2020-01-01T00:00:00.000Z";
    await user.keyboard("gr");
    await settle();
    const list = within(screen.getByRole("region", { name: "1 request waiting too long" }));
    expect(list.getByText("Waits for a decision")).toBeVisible();
    expect(list.getByText(/^too long since 2 Jan 2020/)).toBeVisible();
    expect(screen.getByRole("region", { name: "On time" })).toBeVisible();
    expect(await a11y()).toEqual([]);
    await user.click(list.getByRole("button", { name: "Show" }));
    await settle();
    expect(route.page).toBe("inbox");
    expect(heading()).toBe(plain(late.sentence));
  });

  it("has the number of what waits too long beside its name, and none where nothing does", async () => {
    const { core } = await open();
    const name = () =>
      within(screen.getByRole("navigation")).getByRole("button", { name: /^Radar/ });
    expect(name()).toHaveAccessibleName("Radar");
    for (const card of core.cards.filter((one) => one.state.kind === "proposed").slice(0, 2)) {
      card.createdAt = "2020-01-01T00:00:00.000Z";
    }
    core.emit({ kind: "state_changed" });
    await settle();
    expect(name()).toHaveAccessibleName(/^Radar ?, waiting too long: ?2$/);
    expect(name()).toHaveAttribute("title", "Radar: 2 waiting too long");
    expect(await a11y()).toEqual([]);
  });

  it("says that nothing waits", async () => {
    const { user } = await open({ empty: true });
    await user.keyboard("gr");
    await settle();
    expect(screen.getByText("Nothing waits")).toBeVisible();
  });
});
