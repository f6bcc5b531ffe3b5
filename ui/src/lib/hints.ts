/* Events from the core are hints with ids: whoever listens re-asks, nobody builds state out of them. */
import { events, type EngineEvent } from "./bindings";

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
    do {
      again = false;
      await work();
    } while (again);
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
