// The lines and what goes on there: the list once, then events.

import { ask, BASE, backoff, online, renewSession, Refused, session } from "./api";
import { Store } from "./store";
import type { Level, Line } from "./types";

/** Null until the first answer. */
export const lines = new Store<readonly Line[] | null>(null);
/** How many calls ended since somebody last looked at the list of calls. */
export const endedCalls = new Store<number>(0);
/** Why there is nothing to show. */
export const linesError = new Store<unknown>(null);
/** When each line's length was told, by this browser's clock. */
const toldAt = new Map<string, number>();

type LevelWatcher = (levels: readonly Level[]) => void;
const levelWatchers = new Map<string, Set<LevelWatcher>>();

/** Levels come often and go past the components, straight to the meters. */
export function watchLevels(line: string, watcher: LevelWatcher): () => void {
  const watchers = levelWatchers.get(line) ?? new Set();
  watchers.add(watcher);
  levelWatchers.set(line, watchers);
  return () => {
    watchers.delete(watcher);
  };
}

/** Whether sound comes in now; a line that has a fault may record all the same. */
export function isRecorded(line: Line): boolean {
  return line.state === "recording" || line.state === "held" || Boolean(line.recording_id);
}

/** How long the call on a line lasts by now. */
export function lengthNow(line: Line, now: number): number | null {
  if (!isRecorded(line)) return null;
  const told = toldAt.get(line.name);
  if (line.duration_ms !== null && line.duration_ms !== undefined && told !== undefined) {
    return line.duration_ms + (performance.now() - told);
  }
  return line.started_at ? now - line.started_at : null;
}

let source: EventSource | null = null;
let timer = 0;
let tries = 0;
let users = 0;

function takeAll(all: readonly Line[]): void {
  for (const line of all) toldAt.set(line.name, performance.now());
  lines.set(all);
}

function takeLine(line: Line): void {
  toldAt.set(line.name, performance.now());
  lines.update((all) => {
    const known = all ?? [];
    const before = known.find((other) => other.name === line.name);
    if (before?.recording_id && before.recording_id !== line.recording_id) {
      endedCalls.update((count) => count + 1);
    }
    if (!before) {
      return [...known, line].sort((a, b) =>
        a.name.localeCompare(b.name, undefined, { numeric: true }),
      );
    }
    return known.map((other) => (other.name === line.name ? { ...other, ...line } : other));
  });
  if (line.levels) takeLevels(line.name, line.levels);
}

function takeLevels(name: string, levels: readonly Level[]): void {
  for (const watcher of levelWatchers.get(name) ?? []) watcher(levels);
}

async function open(): Promise<void> {
  clearTimeout(timer);
  source?.close();
  try {
    const found = await ask<{ lines: Line[] }>("/lines");
    if (!users) return;
    takeAll(found.lines);
    linesError.set(null);
  } catch (error) {
    linesError.set(error);
    if (error instanceof Refused && (error.status === 401 || error.status === 403)) return;
    again();
    return;
  }
  const events = new EventSource(`${BASE}/lines/events`);
  source = events;
  events.addEventListener("lines", (event: MessageEvent<string>) => {
    takeAll((JSON.parse(event.data) as { lines: Line[] }).lines);
  });
  events.addEventListener("bye", (event: MessageEvent<string>) => {
    events.close();
    const why = (JSON.parse(event.data) as { code?: string }).code;
    if (why === "session_expired") void lost();
    else again();
  });
  events.addEventListener("line", (event: MessageEvent<string>) => {
    tries = 0;
    takeLine(JSON.parse(event.data) as Line);
  });
  events.addEventListener("levels", (event: MessageEvent<string>) => {
    const told = JSON.parse(event.data) as { name: string; levels: Level[]; duration_ms?: number };
    takeLevels(told.name, told.levels);
  });
  events.addEventListener("open", () => {
    tries = 0;
    online.set(true);
  });
  events.addEventListener("error", () => {
    if (source !== events) return;
    events.close();
    void lost();
  });
}

/** An event stream that breaks says no status: the list, asked for again, does. */
async function lost(): Promise<void> {
  try {
    await ask("/session", { quiet: true });
  } catch (error) {
    if (error instanceof Refused && error.status === 401 && session.value) {
      if (!(await renewSession())) return;
    }
  }
  again();
}

function again(): void {
  if (!users) return;
  timer = window.setTimeout(() => void open(), backoff(tries));
  tries += 1;
}

/** Follows the lines until the returned function is called. */
export function followLines(): () => void {
  users += 1;
  if (users === 1) void open();
  return () => {
    users -= 1;
    if (users) return;
    clearTimeout(timer);
    source?.close();
    source = null;
  };
}
