// Where the page is: everything behind `#`, so that links to a view, a search or a moment work
// without the server knowing them.

import { Store } from "./store";

export type Place =
  | { view: "lines" }
  | { view: "calls"; query: URLSearchParams }
  | { view: "recording"; id: string; at: number | null; query: URLSearchParams }
  | { view: "exports" }
  | { view: "audit"; query: URLSearchParams }
  | { view: "admin"; part: AdminPart }
  | { view: "health" }
  | { view: "unknown" };

export const ADMIN_PARTS = ["users", "keys", "tenants"] as const;
export type AdminPart = (typeof ADMIN_PARTS)[number];

export function parse(hash: string): Place {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [first = "", second = ""] = path.split("/").map(decoded);
  const query = new URLSearchParams(search);
  switch (first) {
    case "":
    case "calls":
      return { view: "calls", query };
    case "r": {
      if (!second) return { view: "unknown" };
      const at = Number.parseFloat(query.get("t") ?? "");
      return { view: "recording", id: second, at: at >= 0 ? at : null, query };
    }
    case "lines":
    case "exports":
    case "health":
      return { view: first };
    case "audit":
      return { view: "audit", query };
    case "admin": {
      const part = ADMIN_PARTS.find((known) => known === second);
      return { view: "admin", part: part ?? "users" };
    }
    default:
      return { view: "unknown" };
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const place = new Store<Place>(parse(location.hash));

addEventListener("hashchange", () => place.set(parse(location.hash)));

export function go(hash: string): void {
  location.hash = hash;
}

/** Changes what the address says without a step in the history. */
export function replace(hash: string): void {
  history.replaceState(null, "", hash);
  place.set(parse(hash));
}

export function recordingHash(id: string, seconds?: number): string {
  const at = seconds === undefined ? "" : `?t=${Math.round(seconds * 10) / 10}`;
  return `#/r/${encodeURIComponent(id)}${at}`;
}
