// Lines, and listening live: the tone of the line is in what goes to the loudspeakers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, facts, finish, tapSpeakers, until } from "./rig.mjs";

/** The delay that listening may have. */
const DELAY_MS_MAX = 500;

test("the wall shows lines with their state", async () => {
  const page = await at("#/lines");
  const line = page.locator(".wall > li", { hasText: facts.live.line }).first();
  await line.getByText("Recording").waitFor();
  await until("a length that grows", async () => {
    const text = await line.locator(".line-time").innerText();
    return /^\d+:\d\d/.test(text);
  });
  await finish(page);
});

test("a live line is heard through the page, soon enough", async () => {
  const page = await at("#/lines");
  await page.addInitScript(tapSpeakers);
  await page.reload();
  await page
    .getByRole("button", { name: `Listen ${facts.live.line}`, exact: true })
    .click();
  const dock = page.getByRole("region", { name: "Live listening" });
  await dock.getByText("Live", { exact: true }).waitFor();
  const peak = () =>
    page.evaluate(() => {
      const meter = window.taps[0];
      if (!meter) return null;
      const bins = new Float32Array(meter.frequencyBinCount);
      meter.getFloatFrequencyData(bins);
      const loudest = bins.indexOf(Math.max(...bins));
      return {
        hz: (loudest * meter.context.sampleRate) / meter.fftSize,
        db: bins[loudest],
      };
    });
  const heard = await until("the line's tone", async () => {
    const found = await peak();
    return found && found.db > -50 ? found : null;
  });
  assert.ok(Math.abs(heard.hz - facts.live.hz) < 15, `heard ${heard.hz} Hz`);
  const delay = await until("a delay", async () => {
    const text = await page
      .locator(".dock-delay")
      .innerText({ timeout: 1000 })
      .catch(() => "");
    return Number.parseInt(text, 10);
  });
  assert.ok(delay < DELAY_MS_MAX, `the delay is ${delay} ms`);
  await dock.getByRole("button", { name: "Stop listening" }).click();
  await dock.waitFor({ state: "detached" });
  await finish(page);
});
