// Talks to the daemon. One place for what may go wrong on the way: a session that expired, a lost
// network, a server that wants us to wait.

import { Store } from "./store";
import { t } from "./texts";
import type { Session } from "./types";

export const BASE = "/api/supervisor/v1";

/** An answer that says no, in the server's words. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string | null,
    readonly more: Record<string, unknown>,
  ) {
    super(message);
  }
}

/** No answer at all. */
export class Unreachable extends Error {
  constructor() {
    super(t.net.unreachable);
  }
}

/** The session; null while nobody is signed in, undefined until that is known. */
export const session = new Store<Session | null | undefined>(undefined);
/** Whether the server answers, as far as we know. */
export const online = new Store<boolean>(true);

/** Asks who is there to sign in again; set by the dialog that does so. */
let reauthenticate: (() => Promise<boolean>) | null = null;
let pending: Promise<boolean> | null = null;

export function onExpired(ask: () => Promise<boolean>): void {
  reauthenticate = ask;
}

/** Has the password asked for, once for all who wait for it. False: given up. */
export function renewSession(): Promise<boolean> {
  if (!reauthenticate || !session.value) return Promise.resolve(false);
  pending ??= reauthenticate().finally(() => {
    pending = null;
  });
  return pending;
}

export interface Options {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
  signal?: AbortSignal;
  /** Does not ask for the password when the session has expired. */
  quiet?: boolean;
}

async function send(path: string, options: Options): Promise<Response> {
  const method = options.method ?? "GET";
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET" && session.value) headers["X-Callreel-CSRF"] = session.value.csrf;
  const init: RequestInit = { method, headers, cache: "no-store", credentials: "same-origin" };
  if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(options.body);
  }
  if (options.signal) init.signal = options.signal;
  let answer: Response;
  try {
    answer = await fetch(BASE + path, init);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    online.set(false);
    throw new Unreachable();
  }
  online.set(true);
  return answer;
}

/** Makes an error of an answer that is none of ours, too (a proxy's page). */
export async function refusal(answer: Response): Promise<Refused> {
  const body: unknown = await answer.json().catch(() => null);
  const known = isObject(body) && isObject(body["error"]) ? body["error"] : {};
  const text = (name: string): string | null => {
    const value = known[name];
    return typeof value === "string" && value ? value : null;
  };
  const message = text("message") ?? t.net.answered(answer.status);
  const requestId = text("request_id") ?? answer.headers.get("X-Request-Id");
  return new Refused(answer.status, text("code") ?? "unknown", message, requestId, known);
}

export async function request(path: string, options: Options = {}): Promise<Response> {
  let answer = await send(path, options);
  if (answer.ok) return answer;
  let refused = await refusal(answer);
  if (refused.status === 401 && !options.quiet && (await renewSession())) {
    answer = await send(path, options);
    if (answer.ok) return answer;
    refused = await refusal(answer);
  }
  // Another tab signed in again: its token counts for this one, too.
  if (refused.status === 403 && refused.code === "csrf" && (await refreshSession())) {
    answer = await send(path, options);
    if (answer.ok) return answer;
    refused = await refusal(answer);
  }
  throw refused;
}

export async function ask<T>(path: string, options: Options = {}): Promise<T> {
  const answer = await request(path, options);
  if (answer.status === 204) return undefined as T;
  const text = await answer.text();
  if (!text) return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Refused(answer.status, "unreadable", t.net.unreadable, null, {});
  }
}

/** Learns who the cookie belongs to. True if it is still the same person. */
export async function refreshSession(): Promise<boolean> {
  const before = session.value?.user.name;
  try {
    const found = await ask<Session>("/session", { quiet: true });
    const same = before === undefined || before === found.user.name;
    session.set(found);
    return same;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      if (before === undefined) session.set(null);
      return false;
    }
    throw error;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What to show for an error, with the number that the journal knows it by. */
export function words(error: unknown): string {
  if (error instanceof Refused) {
    return error.requestId
      ? `${error.message} (${t.net.requestId(error.requestId)})`
      : error.message;
  }
  if (error instanceof Unreachable) return error.message;
  return error instanceof Error ? error.message : String(error);
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Waiting times between tries: 0.5 s doubling to 15 s, each a little different. */
export function backoff(tries: number): number {
  const base = Math.min(15_000, 500 * 2 ** Math.min(tries, 6));
  return base * (0.75 + Math.random() * 0.5);
}

/** An address below the API with a query of what is given. */
export function address(
  path: string,
  query: Record<string, string | number | boolean | null | undefined>,
): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "") continue;
    search.set(name, value === true ? "1" : String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

export const recordingPath = (id: string): string => `/recordings/${encodeURIComponent(id)}`;
