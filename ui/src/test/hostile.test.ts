import { readFileSync } from "node:fs";
import { render } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import Body from "../components/card/Body.svelte";
import Spans from "../components/Spans.svelte";
import type { CardNode, Span } from "../lib/bindings";

/* The texts of the cards that the domain's own tests make of the worst strings, card by card. */
const snapshot = readFileSync(
  "../crates/domain/tests/rules/snapshots/rules__display__the_worst_of_them_are_drawn_by_the_front_end_too.snap",
  "utf8",
);
type DomainSpan = { kind: "plain" | "escape"; text: string };
const cards = JSON.parse(snapshot.slice(snapshot.indexOf("\n---\n", 4) + 5)) as DomainSpan[][][];

/** What may never reach the page as it is. */
const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\u{FE00}-\u{FE0F}\u{E0100}-\u{E01EF}]/u;

/** As the shell hands them over. */
function spans(those: readonly DomainSpan[]): Span[] {
  return those.map(({ kind, text }) =>
    kind === "plain" ? { kind: "text", text } : { kind: "escape", text: `⟦${text}⟧` },
  );
}

/** A text in every kind of node that has one. */
function nodes(text: Span[]): CardNode[] {
  const label = "Label";
  return [
    { kind: "field", label, value: text, mono: false },
    { kind: "text", label, lines: [text, text], characters: 1 },
    { kind: "recipient", label, address: text, known: false, note: null },
    { kind: "url", label, method: "POST", scheme: "https", host: text, path: text },
    { kind: "list", label, items: [text] },
    { kind: "json", label, text },
  ];
}

function elements(container: Element): string[] {
  return [...container.querySelectorAll("*")].map((element) => element.tagName.toLowerCase());
}

describe("hostile text", () => {
  it("is text wherever it stands, whole, and hides nothing", () => {
    const all = cards.flat();
    expect(all.length, "some hundreds of texts").toBeGreaterThan(200);
    for (const text of all) {
      const { container, unmount } = render(Spans, { spans: spans(text) });
      const shown = text.map((span) => span.text).join("");
      expect(container.textContent).toBe(shown);
      // The sentence's own isolation stands around its arguments.
      expect(shown.replace(/[\u2068\u2069]/g, "")).not.toMatch(hidden);
      const escapes = text.filter((span) => span.kind === "escape").length;
      const made = elements(container).filter((name) => name !== "div");
      expect(made).toEqual(["bdi", ...Array<string>(escapes).fill("span")]);
      unmount();
    }
  });

  it("makes no element of a card that the card did not mean", () => {
    const body = (text: Span[]) => render(Body, { body: nodes(text) });
    const { container, unmount } = body([{ kind: "text", text: "harmless" }]);
    const meant = elements(container);
    unmount();
    // Of each card the shortest: the string alone.
    const alone = cards.map((texts) =>
      texts.reduce((a, b) => (JSON.stringify(b).length < JSON.stringify(a).length ? b : a)),
    );
    for (const text of alone) {
      const plain = spans(text).filter((span) => span.kind === "text");
      const hostile = body(plain);
      expect(elements(hostile.container)).toEqual(meant);
      hostile.unmount();
    }
  });
});
