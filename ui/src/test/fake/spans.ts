/* A stand-in for the core's renderer: makes characters that hide or reorder visible. */
import type { Span } from "../../lib/bindings";

// Bidi controls, zero-width characters, and C0 controls other than tab and line feed.
// oxlint-disable-next-line no-control-regex
const hiding = /[\u0000-\u0008\u000b-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;

export function spans(text: string): Span[] {
  const found: Span[] = [];
  let from = 0;
  for (const match of text.matchAll(hiding)) {
    if (match.index > from) found.push({ kind: "text", text: text.slice(from, match.index) });
    const code = (match[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    found.push({ kind: "escape", text: `⟦U+${code}⟧` });
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ kind: "text", text: text.slice(from) });
  return found;
}

export function lines(text: string): Span[][] {
  return text.split("\n").map(spans);
}
