/* What the frame of the window shows. The core is asked again after every hint. */
import { commands, type AppState, type FirstAgent } from "./bindings";
import { coalesced, listenForHints, onHint } from "./hints";
import { ask, asProblem, type Problem } from "./ipc";

class App {
  state = $state.raw<AppState | null>(null);
  /** When `state` was read, in the window's own milliseconds. */
  readAt = $state(0);
  problem = $state.raw<Problem | null>(null);
  /** The key made in first run, until the person has gone on to the inbox. */
  firstAgent = $state.raw<FirstAgent | null>(null);
  /** The person reads while this device waits to be confirmed. */
  lookingAround = $state(false);

  refresh = coalesced(async () => {
    try {
      this.state = await ask(commands.appState());
      this.readAt = Date.now();
      if (!this.state.deviceWaits) this.lookingAround = false;
      this.problem = null;
    } catch (thrown) {
      this.problem = asProblem(thrown);
    }
  });

  start(): () => void {
    let stop = () => {};
    const off = onHint(() => void this.refresh());
    listenForHints().then(
      (unlisten) => (stop = unlisten),
      (thrown: unknown) => (this.problem = asProblem(thrown)),
    );
    void this.refresh();
    return () => {
      off();
      stop();
    };
  }

  get toDecide(): number {
    const counts = this.state?.counts;
    return counts ? counts.low + counts.medium + counts.high + counts.critical : 0;
  }
}

export const app = new App();
