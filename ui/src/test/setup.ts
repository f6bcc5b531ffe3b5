import "@testing-library/jest-dom/vitest";
import { cleanup } from "@testing-library/svelte";
import { clearMocks } from "@tauri-apps/api/mocks";
import { afterEach, vi } from "vitest";

// What jsdom lacks and the window has: media queries, sizes, scrolling.
vi.stubGlobal("matchMedia", (query: string) => ({
  matches: query.includes("reduced-motion"),
  media: query,
  addEventListener() {},
  removeEventListener() {},
}));

const viewport = 700;
const rowHeight = 56;

vi.stubGlobal(
  "ResizeObserver",
  class {
    readonly #told: ResizeObserverCallback;
    constructor(told: ResizeObserverCallback) {
      this.#told = told;
    }
    observe(target: Element) {
      const height = target.getAttribute("role") === "listbox" ? viewport : rowHeight;
      const entry = {
        target,
        contentRect: { width: 400, height },
      } as unknown as ResizeObserverEntry;
      queueMicrotask(() => this.#told([entry], this as unknown as ResizeObserver));
    }
    unobserve() {}
    disconnect() {}
  },
);
Object.defineProperty(HTMLElement.prototype, "offsetParent", {
  get(this: HTMLElement) {
    return this.parentElement;
  },
});
Element.prototype.scrollIntoView = () => {};
Element.prototype.scrollTo = () => {};

afterEach(async () => {
  // What is being read again comes to rest; then the window is closed while the bridge is still there.
  if (vi.isFakeTimers()) await vi.advanceTimersByTimeAsync(200);
  cleanup();
  await Promise.resolve();
  clearMocks();
  localStorage.clear();
});
