/* One way to call the core: a command answers with data or throws a Problem that has a sentence for a person. */
import type { CommandError, ErrorCode } from "./bindings";

export class Problem extends Error {
  readonly code: ErrorCode;
  /** The form field at fault, if one is. */
  readonly field: string | null;

  constructor(error: CommandError) {
    super(error.message);
    this.name = "Problem";
    this.code = error.code;
    this.field = error.field;
  }
}

type Answer<T> = { status: "ok"; data: T } | { status: "error"; error: CommandError };

export async function ask<T>(answer: Promise<Answer<T>>): Promise<T> {
  const got = await answer;
  if (got.status === "ok") return got.data;
  // What does not fit the command is refused by the bridge, in a string of its own.
  const error: CommandError | string = got.error;
  throw typeof error === "string" ? asProblem(error) : new Problem(error);
}

/** Whatever was thrown, as a Problem. A bug in the bridge is told like any other trouble. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return new Problem({
    code: "internal",
    message: `The window could not reach the app's core: ${detail}. Nothing was changed.`,
    field: null,
  });
}
