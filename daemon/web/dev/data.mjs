// Made-up calls for working on the page without an appliance. Not part of what is served.

const RATE = 8000;

/** A sequence of numbers that look random and are the same each time. */
export function random(seed) {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const AGENTS = ["ana.petrova", "b.lindqvist", "chidi", "dagmar", null];
const TAGS = ["complaint", "training", "quality", "vip", "callback", "invoice"];
const DAY = 86_400_000;

export function makeRows(count) {
  const next = random(7);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const number = () => `0${String(Math.floor(next() * 9e9 + 1e9)).slice(0, 9)}`;
  const now = Date.now();
  const rows = [];
  let at = now - 60_000;
  for (let index = 0; index < count; index += 1) {
    at -= Math.floor(next() * 9 * 60_000);
    const duration = Math.floor(8_000 + next() ** 3 * 900_000);
    const incoming = next() < 0.6;
    const tags = TAGS.filter(() => next() < 0.08);
    rows.push({
      id: String(100_000 - index),
      recid: String(100_000 - index),
      tenant: "main",
      line: `line-${1 + Math.floor(next() * 24)}`,
      from: incoming ? number() : "204",
      to: incoming ? "0800 100" : number(),
      direction: incoming ? "in" : "out",
      agent: pick(AGENTS),
      started_at: at,
      duration_ms: duration,
      state: index === 3 ? "damaged" : "sealed",
      channels: index % 17 === 5 ? 1 : 2,
      rate: RATE,
      container: "wav",
      size_bytes: duration * 32 + 44,
      tags,
      held: next() < 0.04,
      notes: next() < 0.12 ? 2 : 0,
      time_quality: "synchronised, 4 ms",
      gaps: index % 9 === 1 ? 1 : 0,
      masked: index % 6 === 1 ? 1 : 0,
    });
  }
  rows[1].tags = ["complaint", "training", "vip"];
  rows[1].held = true;
  rows[1].notes = 3;
  rows[1].duration_ms = 184_000;
  rows[1].gaps = 1;
  rows[1].masked = 1;
  rows[0].from = "<img src=x onerror=alert(1)>";
  rows[0].agent = "\u202egnirotinom";
  rows[0].tags = ["<b>bold</b>", "\u202etfel-ot-thgir"];
  return rows;
}

/** Two legs that take turns: bursts of tone and noise with a speaker's rhythm. */
export function samplesOf(row) {
  const next = random(Number(row.id));
  const frames = Math.floor((row.duration_ms * RATE) / 1000);
  const data = new Int16Array(frames * row.channels);
  const ends = [0, 0];
  let [speaker, until, level, pitch] = [0, 0, 0, 0];
  for (let frame = 0; frame < frames; frame += 1) {
    if (frame >= until) {
      speaker = next() < 0.5 ? 0 : 1;
      level = next() < 0.25 ? 0 : 0.15 + next() * 0.5;
      pitch = 110 + next() * 120;
      until = frame + Math.floor(RATE * (0.25 + next() * (level ? 1.4 : 2.4)));
    }
    const swing = 0.55 + 0.45 * Math.sin((frame / RATE) * 2 * Math.PI * 3.7);
    const tone = Math.sin((frame / RATE) * 2 * Math.PI * pitch) * 0.6 + (next() - 0.5) * 0.8;
    ends[speaker] = level * swing * tone;
    ends[1 - speaker] = (next() - 0.5) * 0.004;
    const inGap = row.gaps && frame > RATE * 61 && frame < RATE * 65;
    const isMasked = row.masked && frame > RATE * 96 && frame < RATE * 104;
    for (let channel = 0; channel < row.channels; channel += 1) {
      const mixed = row.channels === 1 ? ends[0] + ends[1] : ends[channel];
      data[frame * row.channels + channel] = inGap || isMasked ? 0 : mixed * 30_000;
    }
  }
  return data;
}

export function wavOf(row) {
  const samples = samplesOf(row);
  const size = samples.length * 2;
  const file = Buffer.alloc(44 + size);
  file.write("RIFF", 0);
  file.writeUInt32LE(36 + size, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(row.channels, 22);
  file.writeUInt32LE(RATE, 24);
  file.writeUInt32LE(RATE * row.channels * 2, 28);
  file.writeUInt16LE(row.channels * 2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36);
  file.writeUInt32LE(size, 40);
  Buffer.from(samples.buffer).copy(file, 44);
  return file;
}

/** The format of audiowaveform, version 2, 8 bits. */
export function peaksOf(row, zoom) {
  const samples = samplesOf(row);
  const { channels } = row;
  const length = Math.ceil(samples.length / channels / zoom);
  const file = Buffer.alloc(24 + length * channels * 2);
  [2, 1, RATE, zoom, length, channels].forEach((value, index) =>
    file.writeInt32LE(value, index * 4),
  );
  for (let pixel = 0; pixel < length; pixel += 1) {
    for (let channel = 0; channel < channels; channel += 1) {
      let [low, high] = [0, 0];
      for (let frame = pixel * zoom; frame < (pixel + 1) * zoom; frame += 1) {
        const value = samples[frame * channels + channel] ?? 0;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
      const at = 24 + (pixel * channels + channel) * 2;
      file.writeInt8(Math.floor(low / 256), at);
      file.writeInt8(Math.floor(high / 256), at + 1);
    }
  }
  return file;
}

export function detailOf(row) {
  const at = row.started_at;
  const notes = [
    { id: "1", at_ms: 12_400, text: "Customer states the contract number.", by: "dagmar" },
    {
      id: "2",
      at_ms: 71_000,
      text: "<script>alert('no')</script> \u202eyaw rehto eht",
      by: "chidi",
    },
    { id: "3", at_ms: null, text: "Call back on Thursday.\nOffer the smaller plan.", by: "dagmar" },
  ].slice(0, row.notes);
  return {
    ...row,
    legs: ["caller", "callee"]
      .slice(0, row.channels)
      .map((name) => ({ name, rms_db: -24.1, peak_db: -6.2 })),
    gap_list: row.gaps ? [{ at_ms: 61_000, ms: 4000 }] : [],
    masked_list: row.masked ? [{ at_ms: 96_000, ms: 8000, kind: "digits" }] : [],
    digits: row.masked
      ? [
          { at_ms: 30_000, digit: "1" },
          { at_ms: 30_900, digit: "7" },
          { at_ms: 98_000, digit: null },
        ]
      : [],
    hash: { blake3: "9f2c".repeat(16) },
    holds: row.held
      ? [{ id: "h1", reason: "Claim 2026-118, legal department", by: "admin", at: at + 5 * DAY }]
      : [],
    keep_until: row.held ? at + 400 * DAY : null,
    kept_because: "policy “default”: at least 180 days",
    deletable_at: row.held ? null : at + 180 * DAY,
    notes: notes.map((note) => ({ ...note, at: at + DAY, edited_at: null })),
    time: { quality: "synchronised" },
    chain: {
      seq: 48_211,
      head: "ab".repeat(32),
      checkpoint_seq: 48_300,
      checkpoint_at: at + 900_000,
      key_id: "5d0c81fe",
    },
  };
}

export const ENTRIES = [
  ["play", "dagmar", "99999", {}],
  ["hold_set", "admin", "99999", { reason: "Claim 2026-118", hold: "h1" }],
  ["login", "dagmar", null, { method: "password" }],
  ["login_failed", null, null, { name: "<i>root</i>" }],
  ["sealed", null, "99998", { duration_ms: 184_000, blake3: "9f2c".repeat(16) }],
  ["deleted", null, "81200", { why: "policy default", was_size_bytes: 5_120_044 }],
  ["export", "chidi", null, { recordings: 214, bytes: 1_200_000_000 }],
  ["policy", "admin", null, { name: "default", keep_at_least: "180 d" }],
];
