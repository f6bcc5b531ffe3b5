/* One form being sent: busy while it is, and the trouble beside the field it belongs to. */
import { ask, asProblem, type Problem } from "./ipc";

type Answer<T> = Parameters<typeof ask<T>>[0];

export class Form {
  busy = $state(false);
  problem = $state.raw<Problem | null>(null);

  /** Sends; the answer, or undefined after trouble, which is then on show. */
  async send<T>(call: () => Answer<T>): Promise<{ data: T } | undefined> {
    if (this.busy) return undefined;
    this.busy = true;
    this.problem = null;
    try {
      return { data: await ask(call()) };
    } catch (thrown) {
      this.problem = asProblem(thrown);
      return undefined;
    } finally {
      this.busy = false;
    }
  }

  /** What is wrong with one field. */
  error(field: string): string | null {
    return this.problem?.field === field ? this.problem.message : null;
  }

  /** Trouble that belongs to none of the fields that are on screen. */
  other(...fields: string[]): string | null {
    const { problem } = this;
    if (!problem || (problem.field && fields.includes(problem.field))) return null;
    return problem.message;
  }
}
