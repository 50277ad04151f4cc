// Links to moments.

import { go } from "../router";
import { t } from "../texts";
import { say } from "./parts";

/** Copies an address; without a clipboard (plain http) it is put where it can be copied from. */
export async function copyLink(hash: string): Promise<void> {
  const link = new URL(hash, location.href).href;
  try {
    await navigator.clipboard.writeText(link);
    say(t.player.copied);
  } catch {
    go(hash);
    say(t.player.inAddress);
  }
}
