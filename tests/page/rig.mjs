// A browser at the page of a real daemon, and what all tests of the page need. The suite starts the
// daemon (tests/suite/page.rs) and tells in CALLREEL_PAGE where it is and whom it knows; without
// that the development server of daemon/web stands in, which is good for working on tests.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before } from "node:test";
import assert from "node:assert/strict";

const WEB = new URL("../../daemon/web/", import.meta.url);
const need = createRequire(new URL("package.json", WEB));
const { chromium } = need("playwright-core");
const AXE = readFileSync(need.resolve("axe-core/axe.min.js"), "utf8");

/** The longest that a test waits for a condition; a loaded machine is slow. */
export const PATIENCE_MS = 60_000;

/** What the tests know of the daemon; filled before the first one. */
export const facts = {};
let standIn = null;
let browser = null;

before(async () => {
  Object.assign(facts, await findFacts());
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--mute-audio",
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
});

after(async () => {
  await browser?.close();
  standIn?.kill();
});

async function findFacts() {
  if (process.env.CALLREEL_PAGE) return JSON.parse(process.env.CALLREEL_PAGE);
  const program = new URL("dev/mock.mjs", WEB).pathname;
  standIn = spawn(process.execPath, [program], {
    env: { ...process.env, PORT: "0" },
  });
  const url = await new Promise((resolve, reject) => {
    standIn.stdout.once("data", (text) =>
      resolve(String(text).trim().replace(/\/$/, "")),
    );
    standIn.once("exit", () => reject(new Error("the stand-in ended")));
  });
  const user = (name) => ({ name, password: "password" });
  return {
    url,
    users: {
      admin: user("admin"),
      supervisor: user("supervisor"),
      auditor: user("auditor"),
      agent: user("dagmar"),
    },
    // A stereo call of a minute and more; the last digits of one of its numbers.
    call: { id: "99999", number: "172073939" },
    // Calls that tests may change: one to hold, one to delete.
    spare: ["99990", "99989"],
    live: { line: "line-1", hz: 440 },
  };
}

/** What a page did that it must not: scripts refused by the policy, errors nobody caught. */
const faults = new WeakMap();

/** A page of a fresh browser profile. */
export async function open(options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1360, height: 850 },
    ignoreHTTPSErrors: true,
    locale: "en-GB",
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  return newPage(context);
}

/** Another tab of the same profile. */
export async function newPage(context) {
  const page = await context.newPage();
  const found = [];
  faults.set(page, found);
  page.on("pageerror", (error) => found.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    found.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.exposeFunction("tellFault", (text) => found.push(text));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      window.tellFault(
        `policy: ${event.violatedDirective} ${event.blockedURI}`,
      );
    });
  });
  return page;
}

/** Ends with the page, and fails if it did what it must not. */
export async function finish(page) {
  const found = faults.get(page);
  await page.context().close();
  assert.deepEqual(found, []);
}

export async function signIn(page, who = "admin", hash = "") {
  const { name, password } = facts.users[who];
  await page.goto(`${facts.url}/${hash}`);
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Keyboard" }).waitFor();
}

/** A page with somebody signed in, at a place. */
export async function at(hash, who = "admin", options = {}) {
  const page = await open(options);
  await signIn(page, who, hash);
  return page;
}

/** Waits for a condition, looking at it again and again. */
export async function until(what, condition) {
  const end = Date.now() + PATIENCE_MS;
  let last;
  for (;;) {
    last = await condition();
    if (last) return last;
    if (Date.now() > end) assert.fail(`never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What axe-core finds at the page: nothing serious may be among it. */
export async function checkAccess(page, where) {
  const client = await page.context().newCDPSession(page);
  // By the debugger, not by the page: its policy lets no script of ours in.
  await client.send("Runtime.evaluate", { expression: AXE });
  const told = await client.send("Runtime.evaluate", {
    expression: `axe.run().then((found) => JSON.stringify(found.violations.map(
      ({ id, impact, nodes }) => ({ id, impact, at: nodes.map(({ target }) => target.join(" ")) }))))`,
    awaitPromise: true,
    returnByValue: true,
  });
  await client.detach();
  const found = JSON.parse(told.result.value);
  const bad = found.filter(
    ({ impact }) => impact === "serious" || impact === "critical",
  );
  assert.deepEqual(bad, [], where);
}

/** Where the player stands, in seconds. */
export const position = (page) =>
  page.evaluate(
    () => document.querySelector("body > audio")?.currentTime ?? -1,
  );

/** Opens the call that all tests know, and waits until it can be played. */
export async function openCall(page, id = facts.call.id, seconds = null) {
  await page.goto(
    `${facts.url}/#/r/${id}${seconds === null ? "" : `?t=${seconds}`}`,
  );
  await page.getByRole("slider", { name: "Position" }).waitFor();
  await until("the sound's length", () =>
    page.evaluate(
      () => (document.querySelector("body > audio")?.duration ?? 0) > 0,
    ),
  );
}

/** Puts a meter beside whatever is connected to the loudspeakers. */
export const tapSpeakers = () => {
  const connect = AudioNode.prototype.connect;
  window.taps = [];
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target === this.context.destination) {
      const [splitter, meters] = [this.context.createChannelSplitter(2), []];
      connect.call(this, splitter);
      for (const ear of [0, 1]) {
        const meter = this.context.createAnalyser();
        meter.fftSize = 8192;
        connect.call(splitter, meter, ear);
        meters.push(meter);
      }
      window.taps = meters;
    }
    return connect.call(this, target, ...rest);
  };
  window.loudness = () =>
    window.taps.map((meter) => {
      const samples = new Float32Array(meter.fftSize);
      meter.getFloatTimeDomainData(samples);
      return Math.sqrt(
        samples.reduce((sum, value) => sum + value * value, 0) / samples.length,
      );
    });
};
