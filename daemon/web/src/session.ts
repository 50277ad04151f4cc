// Signing in and out, and telling the other tabs about it.

import { ask, refreshSession, session } from "./api";
import type { Session } from "./types";

const tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel("callreel") : null;

/** Called when another tab signed in or out. */
let onOtherTab: (() => void) | null = null;

tabs?.addEventListener("message", () => onOtherTab?.());

export function watchTabs(changed: () => void): void {
  onOtherTab = changed;
}

export async function signIn(name: string, password: string): Promise<Session> {
  const made = await ask<Session>("/session", {
    method: "POST",
    body: { name, password },
    quiet: true,
  });
  session.set(made);
  tabs?.postMessage("session");
  return made;
}

export async function signOut(): Promise<void> {
  try {
    await ask("/session", { method: "DELETE", quiet: true });
  } finally {
    session.set(null);
    tabs?.postMessage("session");
  }
}

/** What another tab did: the same person goes on, anybody else begins anew. */
export async function followOtherTab(): Promise<"same" | "other" | "out"> {
  const before = session.value?.user.name;
  try {
    const same = await refreshSession();
    if (same) return "same";
    return session.value && session.value.user.name !== before ? "other" : "out";
  } catch {
    return "same";
  }
}
