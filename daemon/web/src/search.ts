// The search that is shown: its filters, the rows found so far, and what is selected of them. It
// outlives the views, so that a list is where one left it.

import { address, ask, backoff, isAbort, Unreachable } from "./api";
import { endedCalls } from "./lines";
import { Store } from "./store";
import type { Filters, Page, Row } from "./types";

const PAGE_ROWS = 100;
const TEXTS = ["number", "line", "agent", "direction", "tag", "q", "state", "order"] as const;
const NUMBERS = ["from", "to", "min_ms", "max_ms"] as const;

export function filtersOf(query: URLSearchParams): Filters {
  const found: Record<string, string | number | boolean> = {};
  for (const name of TEXTS) {
    const value = query.get(name);
    if (value) found[name] = value;
  }
  for (const name of NUMBERS) {
    const value = query.get(name);
    if (value && /^\d+$/.test(value)) found[name] = Number(value);
  }
  if (query.get("held") === "1") found["held"] = true;
  return found;
}

export function callsHash(filters: Filters): string {
  return address("#/calls", { ...filters });
}

export interface Found {
  rows: readonly Row[];
  next: string | null;
  loading: boolean;
  error: unknown;
  /** Whether the first page has come. */
  known: boolean;
}

const NOTHING: Found = { rows: [], next: null, loading: false, error: null, known: false };

export const filters = new Store<Filters>({});
export const found = new Store<Found>(NOTHING);
export const selected = new Store<ReadonlyMap<string, Row>>(new Map());

let stop = new AbortController();
let timer = 0;
let tries = 0;

/** Looks for what the filters say, after a moment: typing goes on. */
export function search(next: Filters, afterMs = 0): void {
  filters.set(next);
  stop.abort();
  stop = new AbortController();
  clearTimeout(timer);
  tries = 0;
  found.update((state) => ({ ...state, loading: true, error: null }));
  const mine = stop;
  timer = window.setTimeout(() => void page(mine, null), afterMs);
}

export function again(): void {
  endedCalls.set(0);
  search(filters.value);
}

/** The next page, if there is one and none is on its way. */
export function more(): void {
  const { next, loading, error } = found.value;
  if (next === null || loading || error) return;
  found.update((state) => ({ ...state, loading: true }));
  void page(stop, next);
}

/** After an error: goes on where it stopped. */
export function retry(): void {
  const { next, known } = found.value;
  found.update((state) => ({ ...state, error: null, loading: true }));
  void page(stop, known ? next : null);
}

async function page(mine: AbortController, cursor: string | null): Promise<void> {
  const query = { ...filters.value, limit: PAGE_ROWS, cursor };
  try {
    const answer = await ask<Page>(address("/recordings", query), { signal: mine.signal });
    if (mine.signal.aborted) return;
    tries = 0;
    found.update((state) => ({
      rows: cursor === null ? answer.recordings : join(state.rows, answer.recordings),
      next: answer.next,
      loading: false,
      error: null,
      known: true,
    }));
    // A page may be short because the server looked long enough: go on until there is something.
    if (answer.recordings.length === 0 && answer.next !== null) more();
  } catch (error) {
    if (isAbort(error) || mine.signal.aborted) return;
    found.update((state) => ({
      ...state,
      rows: cursor === null && !(error instanceof Unreachable) ? [] : state.rows,
      loading: false,
      error,
      known: cursor === null ? false : state.known,
    }));
    if (error instanceof Unreachable) {
      timer = window.setTimeout(() => {
        if (!mine.signal.aborted) retry();
      }, backoff(tries++));
    }
  }
}

/** No row twice, whatever was put in meanwhile. */
function join(rows: readonly Row[], added: readonly Row[]): readonly Row[] {
  const known = new Set(rows.map((row) => row.id));
  return [...rows, ...added.filter((row) => !known.has(row.id))];
}

/** Changes a row that a view knows better by now. */
export function changeRow(id: string, change: Partial<Row>): void {
  found.update((state) => ({
    ...state,
    rows: state.rows.map((row) => (row.id === id ? { ...row, ...change } : row)),
  }));
}

export function toggleSelected(row: Row): void {
  selected.update((all) => {
    const next = new Map(all);
    if (!next.delete(row.id)) next.set(row.id, row);
    return next;
  });
}

export function selectRows(rows: readonly Row[]): void {
  selected.update((all) => new Map([...all, ...rows.map((row) => [row.id, row] as const)]));
}

export function clearSelected(): void {
  selected.set(new Map());
}

export function forgetSearch(): void {
  stop.abort();
  clearTimeout(timer);
  filters.set({});
  found.set(NOTHING);
  selected.set(new Map());
}
