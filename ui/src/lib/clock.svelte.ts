/* One ticking clock for every "12 min ago" on screen; it stops while the window is hidden. */

class Clock {
  #now = $state(Date.now());
  #timer: ReturnType<typeof setInterval> | undefined;

  get now() {
    return this.#now;
  }

  start(everyMs = 10_000): () => void {
    const tick = () => (this.#now = Date.now());
    const run = () => {
      clearInterval(this.#timer);
      if (document.hidden) return;
      tick();
      this.#timer = setInterval(tick, everyMs);
    };
    run();
    document.addEventListener("visibilitychange", run);
    return () => {
      clearInterval(this.#timer);
      document.removeEventListener("visibilitychange", run);
    };
  }

  /** Seconds left of what the core said at `readAt`. */
  left(seconds: number, readAt: number): number {
    return Math.max(0, seconds - Math.max(0, this.#now - readAt) / 1000);
  }

  /** Age now of what was `seconds` old at `readAt`. */
  age(seconds: number, readAt: number): number {
    return seconds + Math.max(0, this.#now - readAt) / 1000;
  }
}

export const clock = new Clock();
