/* What the fake core says of a time before which something is not to begin. */
import type { FieldProblem } from "../../lib/bindings";

export function schedule(at: string): FieldProblem | null {
  const then = Date.parse(at);
  const message = Number.isNaN(then)
    ? "Give a day and a time, or leave it empty."
    : "That time has passed. Give a later one, or leave it empty.";
  return at === "" || then > Date.now() ? null : { field: "notBefore", message };
}
