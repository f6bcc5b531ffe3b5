/* Opens the whole window over the fake core, as new. */
import { render, screen } from "@testing-library/svelte";
import { userEvent } from "@testing-library/user-event";
import axe from "axe-core";
import { vi } from "vitest";
import App from "../App.svelte";
import type { InboxView } from "../lib/bindings";
import { app } from "../lib/app.svelte";
import { Desk, desks } from "../lib/desk.svelte";
import { route } from "../lib/route.svelte";
import { saving } from "../lib/saving.svelte";
import { settings } from "../lib/settings.svelte";
import { toasts } from "../lib/toasts.svelte";
import type { Scenario } from "./fake/core";
import { installFake } from "./fake/install";

export async function open(scenario: Scenario = {}) {
  toasts.clear();
  saving.clear();
  app.state = null;
  app.problem = null;
  app.firstAgent = null;
  route.go("inbox");
  settings.singleKeys = true;
  settings.density = "comfortable";
  for (const view of Object.keys(desks) as InboxView[]) desks[view] = new Desk(view);
  const core = installFake(scenario);
  const user = userEvent.setup({ advanceTimers: (ms) => vi.advanceTimersByTime(ms) });
  render(App);
  await settle();
  return { core, user };
}

/** Lets promises and effects run; timers stay where they are. */
export async function settle() {
  for (let turn = 0; turn < 20; turn++) await vi.advanceTimersByTimeAsync(0);
}

/** Time goes by. */
export async function pass(ms: number) {
  await vi.advanceTimersByTimeAsync(ms);
  await settle();
}

export const approveButton = () => screen.getByRole("button", { name: /^Approve/ });
export const heading = () => document.getElementById("card-heading")?.textContent ?? "";
export const selected = () =>
  document.querySelector("[role=option][aria-selected=true]")?.textContent ?? "";

/** What is wrong for people who cannot see or use a mouse. Colours need a real browser and are checked there. */
export async function a11y(): Promise<string[]> {
  // What is being read again comes to rest: a timer that waits now would never come.
  await pass(200);
  vi.useRealTimers();
  const found = await axe.run(document.body, {
    rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
  });
  vi.useFakeTimers();
  return found.violations.map(
    (one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`,
  );
}
