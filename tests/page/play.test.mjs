// Hearing a call: play, seek, speed, loop, legs, notes, links to a moment.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  at,
  facts,
  finish,
  openCall,
  position,
  tapSpeakers,
  until,
} from "./rig.mjs";

/** How far from where one clicked the sound may be, in seconds: two pixels and a frame. */
const CLICK_S = 0.5;

const duration = (page) =>
  page.evaluate(() => document.querySelector("body > audio").duration);

async function clickWave(page, share) {
  const box = await page.locator(".wave-box").boundingBox();
  await page.mouse.click(box.x + box.width * share, box.y + box.height / 2);
}

test("the call plays, pauses, and seeks to where the waveform is clicked", async () => {
  const page = await at("#/calls");
  await openCall(page);
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await until("sound that moves", async () => (await position(page)) > 0.3);
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  const length = await duration(page);
  for (const share of [0.25, 0.6]) {
    await clickWave(page, share);
    await until(`the needle at ${share}`, async () => {
      const off = Math.abs((await position(page)) - length * share);
      return off < CLICK_S;
    });
  }
  const shown = await page
    .getByRole("slider", { name: "Position" })
    .getAttribute("aria-valuenow");
  assert.ok(Math.abs(Number(shown) - length * 0.6) < CLICK_S);
  await finish(page);
});

test("the waveform is drawn from the peaks, a lane a leg", async () => {
  const page = await at("#/calls");
  await openCall(page);
  await until("colours of both legs", () =>
    page.evaluate(() => {
      const canvas = document.querySelector(".wave-box canvas");
      const pixels = canvas
        .getContext("2d")
        .getImageData(0, 0, canvas.width, canvas.height).data;
      const rows = [0, 0];
      for (let at = 0; at < pixels.length; at += 4) {
        if (pixels[at + 3] < 100) continue;
        const y = Math.floor(at / 4 / canvas.width);
        const [red, green] = [pixels[at], pixels[at + 1]];
        // Teal has more green than red, violet more red than green.
        if (green > red + 25) rows[0] += y < canvas.height / 2 + 10 ? 1 : -1000;
        if (red > green + 15) rows[1] += 1;
      }
      return rows[0] > 500 && rows[1] > 500;
    }),
  );
  await finish(page);
});

test("speed changes without pitch, by keys and by choice", async () => {
  const page = await at("#/calls");
  await openCall(page);
  const state = () =>
    page.evaluate(() => {
      const audio = document.querySelector("body > audio");
      return [audio.playbackRate, audio.preservesPitch];
    });
  await page.getByLabel("Speed").selectOption("2");
  assert.deepEqual(await state(), [2, true]);
  await page.getByLabel("Speed").evaluate((select) => select.blur());
  await page.keyboard.press("]");
  assert.deepEqual(await state(), [2.5, true]);
  for (let press = 0; press < 10; press += 1) await page.keyboard.press("[");
  assert.deepEqual(await state(), [0.5, true]);
  await page.keyboard.press("Space");
  const [from, began] = [await position(page), Date.now()];
  await until("slow sound", async () => (await position(page)) > from + 0.4);
  assert.ok(Date.now() - began >= 600, "half speed is slower than it was");
  await finish(page);
});

test("a loop holds the sound between A and B", async () => {
  const page = await at("#/calls");
  await openCall(page, facts.call.id, 10);
  await until(
    "the linked moment",
    async () => Math.abs((await position(page)) - 10) < 0.2,
  );
  await page.keyboard.press("a");
  await page.evaluate(() => {
    document.querySelector("body > audio").currentTime = 11;
  });
  await until("the second moment", async () => (await position(page)) > 10.9);
  await page.keyboard.press("b");
  await page.keyboard.press("Space");
  let returns = 0;
  let before = await position(page);
  await until("two returns", async () => {
    const now = await position(page);
    assert.ok(now > 9.5 && now < 11.8, `the sound is at ${now}`);
    if (now < before - 0.3) returns += 1;
    before = now;
    return returns >= 2;
  });
  await page.keyboard.press("c");
  await until(
    "sound beyond the loop",
    async () => (await position(page)) > 11.5,
  );
  await finish(page);
});

test("each leg has its own volume: a muted one is not heard", async () => {
  const page = await at("#/calls");
  await page.addInitScript(tapSpeakers);
  await page.reload();
  await openCall(page);
  await page.keyboard.press("Space");
  const loud = [0, 0];
  await until("both legs", async () => {
    const now = await page.evaluate(() => window.loudness());
    now.forEach((value, ear) => (loud[ear] = Math.max(loud[ear], value)));
    return loud[0] > 0.01 && loud[1] > 0.01;
  });
  await page.keyboard.press("1");
  await page.keyboard.press("Home");
  let heard = 0;
  let leaked = 0;
  let settled = false;
  await until("the callee alone", async () => {
    const [caller, callee] = await page.evaluate(() => window.loudness());
    if (!settled) settled = caller < 0.001;
    else leaked = Math.max(leaked, caller);
    heard = Math.max(heard, settled ? callee : 0);
    return settled && heard > 0.01;
  });
  assert.ok(leaked < 0.001, `the muted leg was at ${leaked}`);
  await finish(page);
});

test("a note stands at its moment, is text whatever it says, and can be found", async () => {
  const page = await at("#/calls");
  await openCall(page, facts.call.id, 7);
  await until(
    "the linked moment",
    async () => Math.abs((await position(page)) - 7) < 0.2,
  );
  const word = `mark${Date.now()}`;
  const hostile = `<img src=x onerror=alert(1)> \u202e${word} \u2066<script>alert(2)</script>`;
  await page.keyboard.press("n");
  await page.keyboard.insertText(hostile);
  await page.getByRole("button", { name: "Add note" }).click();
  const note = page.locator(".note", { hasText: word });
  await note.waitFor();
  assert.match(await note.innerText(), /<script>alert\(2\)<\/script>/);
  assert.equal(await page.locator(".note img, .note script").count(), 0);
  await page.keyboard.press("End");
  await note.getByRole("button", { name: /Go to/ }).click();
  await until(
    "the note's moment",
    async () => Math.abs((await position(page)) - 7) < 0.3,
  );
  await page.getByLabel("Number or words of a note").fill(word);
  await page.locator(`.call-row[data-id="${facts.call.id}"]`).waitFor();
  await note.getByRole("button", { name: "Delete note" }).click();
  await note.waitFor({ state: "detached" });
  await finish(page);
});

test("a note of a megabyte is refused with words, and is not lost", async () => {
  const page = await at("#/calls");
  await openCall(page);
  const area = page.getByLabel("Write a note");
  await area.fill("a".repeat(1 << 20));
  await page.getByRole("button", { name: "Add note" }).click();
  await page.getByRole("alert").getByText("The note is too long").waitFor();
  assert.equal((await area.inputValue()).length, 1 << 20);
  await finish(page);
});

test("every format can be fetched", async () => {
  const page = await at("#/calls");
  await openCall(page);
  await page.locator('.player summary[aria-label="Download"]').click();
  const links = await page.locator(".player .menu-body a").all();
  assert.equal(links.length, 6);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    links[0].click(),
  ]);
  assert.equal(await download.failure(), null);
  await finish(page);
});

test("silence is skipped when asked for", async (context) => {
  const page = await at("#/calls");
  await openCall(page);
  // The silence as the page knows it: the longest stretch in which both lanes are flat.
  const silence = await page.evaluate(async (id) => {
    const path = `/api/supervisor/v1/recordings/${id}/peaks?format=dat&version=2&zoom=512&channels=split`;
    const file = new DataView(await (await fetch(path)).arrayBuffer());
    const [rate, zoom] = [file.getInt32(8, true), file.getInt32(12, true)];
    const [pairs, channels] = [
      file.getUint32(16, true),
      file.getInt32(20, true),
    ];
    let [begun, best] = [-1, { from: 0, to: 0 }];
    for (let pixel = 0; pixel <= pairs; pixel += 1) {
      let quiet = pixel < pairs;
      for (let at = 0; quiet && at < channels * 2; at += 1) {
        quiet = Math.abs(file.getInt8(24 + pixel * channels * 2 + at)) <= 1;
      }
      if (quiet && begun < 0) begun = pixel;
      if (!quiet && begun >= 0) {
        const span = { from: (begun * zoom) / rate, to: (pixel * zoom) / rate };
        if (span.to - span.from > best.to - best.from) best = span;
        begun = -1;
      }
    }
    return best;
  }, facts.call.id);
  if (silence.to - silence.from < 2) {
    context.skip("this call has no long silence");
    await finish(page);
    return;
  }
  await page.keyboard.press("s");
  await page.evaluate((at) => {
    document.querySelector("body > audio").currentTime = at;
  }, silence.from + 0.1);
  await page.keyboard.press("Space");
  const seen = [];
  await until("sound after the silence", async () => {
    seen.push(await position(page));
    return seen.at(-1) > silence.to - 0.3;
  });
  const inside = seen.filter(
    (at) => at > silence.from + 0.6 && at < silence.to - 0.5,
  );
  assert.deepEqual(inside, []);
  await finish(page);
});
