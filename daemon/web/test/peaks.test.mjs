// Peaks of the audiowaveform format: what is read, what is refused, and the silence in it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { build } from "esbuild";

// The module asks the server, too; what it imports for that needs a browser's globals.
globalThis.location = { hash: "", href: "http://localhost/" };
globalThis.addEventListener = () => undefined;
const entry = new URL("../src/audio/peaks.ts", import.meta.url).pathname;
const made = await build({ entryPoints: [entry], bundle: true, format: "esm", write: false });
const source = Buffer.from(made.outputFiles[0].contents).toString("base64");
const { readDat, silences, spanAt } = await import(`data:text/javascript;base64,${source}`);

function dat({ version = 2, bits = 8, rate = 8000, zoom = 80, channels = 2, values }) {
  const width = bits / 8;
  const header = version === 1 ? 20 : 24;
  const file = Buffer.alloc(header + values.length * width);
  const length = values.length / 2 / (version === 1 ? 1 : channels);
  const fields = [version, bits === 8 ? 1 : 0, rate, zoom, length, channels];
  fields.slice(0, header / 4).forEach((value, at) => file.writeInt32LE(value, at * 4));
  values.forEach((value, at) => {
    if (bits === 8) file.writeInt8(value, header + at);
    else file.writeInt16LE(value, header + at * 2);
  });
  return file.buffer.slice(file.byteOffset, file.byteOffset + file.length);
}

test("versions 1 and 2, 8 and 16 bits are read", () => {
  const two = readDat(dat({ values: [-1, 2, -3, 4, -5, 6, -7, 8] }));
  assert.equal(two.length, 2);
  assert.deepEqual([...two.data], [-1, 2, -3, 4, -5, 6, -7, 8]);
  const sixteen = readDat(dat({ bits: 16, values: [-3000, 3000, -1, 1] }));
  assert.deepEqual([sixteen.scale, ...sixteen.data], [32767, -3000, 3000, -1, 1]);
  const one = readDat(dat({ version: 1, values: [-1, 1, -2, 2] }));
  assert.deepEqual([one.channels, one.length], [1, 2]);
});

test("what is no such file is refused, what is cut short is read as far as it goes", () => {
  assert.equal(readDat(new ArrayBuffer(3)), null);
  assert.equal(readDat(dat({ version: 3, values: [0, 0, 0, 0] })), null);
  assert.equal(readDat(dat({ rate: 0, values: [0, 0, 0, 0] })), null);
  const cut = dat({ values: [-1, 2, -3, 4, -5, 6, -7, 8] }).slice(0, 24 + 6);
  assert.equal(readDat(cut).length, 1);
});

test("silence is where all legs are silent for long enough", () => {
  // A hundredth of a second a pair: one second of sound, two of silence, one of sound by one leg.
  const values = [];
  for (let pixel = 0; pixel < 400; pixel += 1) {
    const loud = pixel < 100 || pixel >= 300;
    values.push(0, loud && pixel < 100 ? 60 : 1, 0, loud ? 60 : 0);
  }
  const found = silences(readDat(dat({ values })));
  assert.deepEqual(found, [{ from: 1, to: 3 }]);
  assert.deepEqual(spanAt(found, 2.9), found[0]);
  assert.equal(spanAt(found, 3), null);
  assert.equal(spanAt([], 1), null);
});
