import { describe, expect, it } from "vitest";
import { ago, date, moment, plural, span } from "../lib/time";
import { label } from "../lib/words";

describe("times in words", () => {
  it("round down, so that they never promise more than there is", () => {
    expect(span(59.9)).toBe("59 s");
    expect(span(119)).toBe("1 min");
    expect(span(2 * 3600 - 1)).toBe("1 h");
    expect(span(47 * 3600)).toBe("47 h");
    expect(span(72 * 3600 - 60), "a fresh proposal").toBe("71 h");
    expect(span(73 * 3600)).toBe("3 d");
    expect(span(-5)).toBe("0 s");
  });

  it("say just now, then how long ago", () => {
    expect(ago(3)).toBe("just now");
    expect(ago(600)).toBe("10 min ago");
  });

  it("leave out the date on the same day", () => {
    const now = new Date(2026, 10, 22, 12, 0);
    expect(moment(new Date(2026, 10, 22, 10, 2).toISOString(), now)).toBe("10:02");
    expect(moment(new Date(2026, 10, 21, 10, 2).toISOString(), now)).toContain("21");
  });

  it("take a bare date as the reader's own day, whatever the time zone", () => {
    expect(date("2026-11-27", new Date(2026, 10, 22))).toContain("27");
  });

  it("show a time that cannot be read as it came", () => {
    expect(moment("soon")).toBe("soon");
    expect(date("soon")).toBe("soon");
  });
});

it("labels an unknown argument by its own name, words apart", () => {
  expect(label("replyTo")).toBe("Reply to");
  expect(label("maxRetryCount")).toBe("Max Retry Count");
  expect(label("cost_centre")).toBe("Cost centre");
});

it("counts one and many", () => {
  expect(plural(1, "entry", "entries")).toBe("1 entry");
  expect(plural(1284, "entry", "entries")).toBe("1,284 entries");
});
