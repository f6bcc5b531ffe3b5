/* Whose move it is, of the fake core's cards. */
import type { Card, Radar } from "../../lib/bindings";

const theirs: Record<string, string> = {
  proposed: "Waits for a decision",
  pending: "Waits for Studio to run it",
  running: "Runs, and Studio has to say how it ended",
  unknown: "Waits for somebody to say what became of it",
};
const dayMs = 24 * 3_600_000;

export function radar(cards: Card[]): Radar {
  const rows = cards.flatMap((card) => {
    const words = theirs[card.state.kind];
    if (!words) return [];
    const due = new Date(Date.parse(card.createdAt) + dayMs);
    return [
      {
        id: card.id,
        sentence: card.sentence,
        risk: card.risk,
        words,
        since: card.createdAt,
        due: due.toISOString(),
        overdue: due.getTime() <= Date.now(),
        toDecide: card.state.kind === "proposed",
      },
    ];
  });
  rows.sort((one, other) => one.due.localeCompare(other.due));
  return { rows, capped: false };
}
