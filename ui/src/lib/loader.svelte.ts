/* Data that a page asks for when it opens, and again after a hint that concerns it. */
import type { EngineEvent } from "./bindings";
import { coalesced, onHint } from "./hints";
import { ask, asProblem, type Problem } from "./ipc";

type Answer<T> = Parameters<typeof ask<T>>[0];

export class Loader<T> {
  data = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  refresh: () => Promise<void>;

  constructor(call: () => Answer<T>) {
    this.refresh = coalesced(async () => {
      try {
        this.data = await ask(call());
        this.problem = null;
      } catch (thrown) {
        this.problem = asProblem(thrown);
      }
    });
  }

  /** For `onMount`: reads now and after each hint of these kinds. */
  watch(...kinds: EngineEvent["kind"][]): () => void {
    void this.refresh();
    return onHint((event) => {
      if (kinds.includes(event.kind)) void this.refresh();
    });
  }
}
