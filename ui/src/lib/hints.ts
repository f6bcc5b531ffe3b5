/* Events from the core are hints with ids: whoever listens re-asks, nobody builds state out of them. */
import { events, type EngineEvent } from "./bindings";

const breathMs = 40;

type Listener = (event: EngineEvent) => void;

const listeners = new Set<Listener>();

export function onHint(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Connects to the core's events. Called once, at start. */
export async function listenForHints(): Promise<() => void> {
  return events.engineEvent.listen((event) => {
    for (const listener of listeners) listener(event.payload);
  });
}

/** Runs `work` one at a time; calls made meanwhile become one more run after it. */
export function coalesced(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  let again = false;
  const loop = async () => {
    await work();
    while (again) {
      // A flood of hints costs a few reads a second, not one each.
      await new Promise((done) => setTimeout(done, breathMs));
      again = false;
      await work();
    }
  };
  return () => {
    if (running) {
      again = true;
      return running;
    }
    running = loop().finally(() => (running = null));
    return running;
  };
}
