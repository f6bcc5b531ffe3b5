/* One list of proposals: pages by cursor, a filter, and which row is selected. */
import {
  commands,
  type EmptyKind,
  type InboxPage,
  type InboxRow,
  type InboxView,
  type Risk,
  type Today,
} from "./bindings";
import { coalesced } from "./hints";
import { ask, asProblem, type Problem } from "./ipc";

const pageSize = 100;
const pageLimit = 200;

export class ProposalList {
  readonly view: InboxView;
  rows = $state.raw<InboxRow[]>([]);
  total = $state(0);
  capped = $state(false);
  empty = $state<EmptyKind | null>(null);
  today = $state.raw<Today | null>(null);
  /** When the rows were read, in the window's own milliseconds. */
  readAt = $state(0);
  loaded = $state(false);
  problem = $state.raw<Problem | null>(null);
  search = $state("");
  risk = $state<Risk | null>(null);
  selectedId = $state<string | null>(null);
  #next: string | null = null;
  #loadingMore = false;
  /** Where the selected row was when it was last in the list. */
  #lastIndex = 0;

  constructor(view: InboxView) {
    this.view = view;
  }

  get filtered(): boolean {
    return this.search.trim() !== "" || this.risk !== null;
  }

  /** Reads again as many rows as were loaded, from the top. */
  refresh = coalesced(async () => {
    try {
      const wanted = Math.max(pageSize, this.rows.length);
      const first = await this.#ask(null, Math.min(wanted, pageLimit));
      const rows = [...first.rows];
      let next = first.next;
      while (next && rows.length < wanted) {
        const page = await this.#ask(next, Math.min(wanted - rows.length, pageLimit));
        rows.push(...page.rows);
        next = page.next;
      }
      this.#take(first, rows, next);
    } catch (thrown) {
      this.problem = asProblem(thrown);
    }
    this.loaded = true;
  });

  async loadMore(): Promise<void> {
    if (!this.#next || this.#loadingMore) return;
    this.#loadingMore = true;
    const after = this.#next;
    try {
      const page = await this.#ask(after, pageLimit);
      // A refresh in between has moved the cursor: its rows win.
      if (this.#next !== after) return;
      this.rows = [...this.rows, ...page.rows];
      this.#next = page.next;
    } catch (thrown) {
      this.problem = asProblem(thrown);
    } finally {
      this.#loadingMore = false;
    }
  }

  filter(search: string, risk: Risk | null) {
    this.search = search;
    this.risk = risk;
    // Another question: what was loaded says nothing about how much to load.
    this.rows = this.rows.slice(0, pageSize);
    return this.refresh();
  }

  index(id: string | null = this.selectedId): number {
    return id === null ? -1 : this.rows.findIndex((row) => row.id === id);
  }

  /** The row `by` places from the selected one, kept inside the list; if that one is gone, the row in its place. */
  neighbour(by: number): InboxRow | undefined {
    const at = this.index();
    if (at < 0) return this.rows[Math.min(this.#lastIndex, this.rows.length - 1)];
    return this.rows[Math.min(this.rows.length - 1, Math.max(0, at + by))];
  }

  /** The row to look at once `id` is dealt with: the one below, else the one above. */
  following(id: string): InboxRow | undefined {
    const at = this.index(id);
    return at < 0 ? undefined : (this.rows[at + 1] ?? this.rows[at - 1]);
  }

  async #ask(after: string | null, limit: number): Promise<InboxPage> {
    const search = this.search.trim() || null;
    return ask(commands.inbox({ view: this.view, search, risk: this.risk, after, limit }));
  }

  #take(first: InboxPage, rows: InboxRow[], next: string | null) {
    this.#lastIndex = Math.max(0, this.index());
    this.rows = rows;
    this.#next = next;
    this.total = first.total;
    this.capped = first.capped;
    this.empty = first.empty;
    this.today = first.today;
    this.readAt = Date.now();
    this.problem = null;
  }
}
