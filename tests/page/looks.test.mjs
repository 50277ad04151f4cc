// Every view in light, in dark and on a telephone: no serious fault for assistive technology, nothing
// wider than the screen, and pictures to look at (CALLREEL_SHOTS names a folder for them). And the
// budget: how many bytes come before the first page, and how soon one can type.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { checkAccess, facts, finish, open, openCall, signIn } from "./rig.mjs";

const VIEWS = {
  calls: ["#/calls", ".call-row"],
  lines: ["#/lines", ".wall"],
  exports: ["#/exports", "h1"],
  audit: ["#/audit", ".audit tbody tr"],
  users: ["#/admin/users", ".table tbody tr"],
  keys: ["#/admin/keys", ".table, .empty"],
  // Who may not see all tenants is told so.
  tenants: ["#/admin/tenants", ".table tbody tr, .notice"],
  health: ["#/health", ".stat"],
};
const MODES = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: {
    colorScheme: "light",
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
  },
};
const SHOTS = process.env.CALLREEL_SHOTS;
const FIRST_PAGE_BYTES_MAX = 150 * 1024;
/** A second on two free cores; tests share theirs, so the bound here only finds what is badly wrong. */
const READY_MS_MAX = 5_000;

async function look(page, name) {
  // Movements would be caught in the middle.
  await page.waitForFunction(() =>
    document
      .getAnimations()
      .every(
        (one) =>
          one.playState !== "running" ||
          one.effect?.getTiming().iterations === Infinity,
      ),
  );
  await checkAccess(page, name);
  const wide = await page.evaluate(
    () => document.documentElement.scrollWidth - innerWidth,
  );
  assert.ok(wide <= 0, `${name} is ${wide} pixels too wide`);
  if (SHOTS) {
    mkdirSync(SHOTS, { recursive: true });
    await page.screenshot({ path: `${SHOTS}/${name}.png` });
  }
}

for (const [mode, options] of Object.entries(MODES)) {
  test(`all views are fit to be read: ${mode}`, async () => {
    const page = await open(options);
    await page.goto(`${facts.url}/`);
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await look(page, `sign-in-${mode}`);
    await signIn(page);
    for (const [name, [hash, sign]] of Object.entries(VIEWS)) {
      await page.goto(`${facts.url}/${hash}`);
      await page.locator(sign).first().waitFor();
      await look(page, `${name}-${mode}`);
    }
    await openCall(page, facts.call.id, 12);
    for (const part of ["Notes", "Keeping", "Details"]) {
      await page.getByRole("tab", { name: new RegExp(part) }).click();
      await look(page, `call-${part.toLowerCase()}-${mode}`);
    }
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await look(page, `help-${mode}`);
    await finish(page);
  });
}

test("the first page is small and soon there", async () => {
  const page = await open();
  const client = await page.context().newCDPSession(page);
  await client.send("Network.enable");
  let bytes = 0;
  client.on(
    "Network.loadingFinished",
    ({ encodedDataLength }) => (bytes += encodedDataLength),
  );
  await page.goto(`${facts.url}/`);
  await page.getByLabel("Password").waitFor();
  const ready = await page.evaluate(() => performance.now());
  assert.ok(
    bytes > 1000 && bytes < FIRST_PAGE_BYTES_MAX,
    `${bytes} bytes came`,
  );
  assert.ok(ready < READY_MS_MAX, `ready after ${ready} ms`);
  const outside = await page.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .filter(({ name }) => !name.startsWith(location.origin)),
  );
  assert.deepEqual(outside, []);
  await finish(page);
});
