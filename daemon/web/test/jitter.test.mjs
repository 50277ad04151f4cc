// The buffer of live listening against senders that are late, fast, slow or gone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { Jitter, RESERVE_S } = await load("audio/jitter.ts");
const [RATE, CARD, FRAME, BLOCK] = [8000, 48_000, 160, 128];

/** Sends a tone in frames of 20 ms at the times `when` says; gives what the card got. */
function run(seconds, { when = (frame) => frame * 0.02, hz = 440, skip = () => false } = {}) {
  const jitter = new Jitter(RATE, 2);
  const heard = [];
  const waits = [];
  let sent = 0;
  for (let block = 0; (block * BLOCK) / CARD < seconds; block += 1) {
    const now = (block * BLOCK) / CARD;
    for (; when(sent) <= now; sent += 1) {
      const samples = new Int16Array(FRAME * 2);
      for (let at = 0; at < FRAME; at += 1) {
        const value = Math.sin(((sent * FRAME + at) / RATE) * 2 * Math.PI * hz) * 16_000;
        samples[at * 2] = value;
        samples[at * 2 + 1] = -value;
      }
      if (!skip(sent)) jitter.push(samples);
    }
    const out = [new Float32Array(BLOCK), new Float32Array(BLOCK)];
    jitter.pull(out, CARD);
    heard.push(...out[0]);
    assert.ok(
      out[0].every((value, at) => Math.abs(value + out[1][at]) < 1e-6),
      "legs are apart",
    );
    waits.push(jitter.waiting);
  }
  return { jitter, heard, waits };
}

const crossings = (samples) =>
  samples.reduce(
    (sum, value, at) => sum + (at > 0 && samples[at - 1] < 0 && value >= 0 ? 1 : 0),
    0,
  );

test("a steady sender is heard without a break, at its pitch, after the reserve", () => {
  const { jitter, heard } = run(5);
  assert.equal(jitter.dry, 0);
  const begun = heard.findIndex((value) => value !== 0) / CARD;
  assert.ok(begun > RESERVE_S - 0.03 && begun < RESERVE_S + 0.06, `begun after ${begun} s`);
  const hz = crossings(heard.slice(CARD * 2, CARD * 4)) / 2;
  assert.ok(Math.abs(hz - 440) < 5, `${hz} Hz`);
});

test("frames that come in clumps are smoothed", () => {
  const { jitter } = run(10, { when: (frame) => Math.ceil((frame * 0.02) / 0.08) * 0.08 });
  assert.ok(jitter.dry <= 2, `ran dry ${jitter.dry} times`);
});

test("a sender whose clock is off is followed and the delay stays", () => {
  for (const drift of [0.998, 1.002]) {
    const { jitter, waits } = run(60, { when: (frame) => frame * 0.02 * drift });
    assert.ok(jitter.dry <= 2, `ran dry ${jitter.dry} times at ${drift}`);
    assert.ok(Math.max(...waits.slice(-1000)) < 0.3, `waits ${waits.at(-1)} s at ${drift}`);
  }
});

test("what was held up does not become delay", () => {
  // Nothing for a second, then all of it at once.
  const { jitter, waits } = run(6, {
    when: (frame) => (frame * 0.02 > 2 && frame * 0.02 < 3 ? 3 : frame * 0.02),
  });
  assert.ok(jitter.dropped > 0.4);
  assert.ok(Math.max(...waits.slice(-200)) < 0.45, `waits ${waits.at(-1)} s`);
});
