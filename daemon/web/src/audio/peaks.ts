// Waveform peaks in the audiowaveform format, version 2 (and 1), and what can be told from them.

import { BASE, address, backoff, recordingPath, refusal, Refused, renewSession } from "../api";

export interface Peaks {
  rate: number;
  /** Samples of sound that one pair of minimum and maximum stands for. */
  samplesPerPixel: number;
  channels: number;
  /** Pairs a channel. */
  length: number;
  /** The largest value: 127 or 32767. */
  scale: number;
  /** Minimum and maximum, channel by channel, pair by pair. */
  data: Int8Array | Int16Array;
}

const HEADER_1 = 20;
const HEADER_2 = 24;

/** Reads a `.dat` file; null if it is none. */
export function readDat(buffer: ArrayBuffer): Peaks | null {
  if (buffer.byteLength < HEADER_1) return null;
  const view = new DataView(buffer);
  const version = view.getInt32(0, true);
  if (version !== 1 && version !== 2) return null;
  const header = version === 1 ? HEADER_1 : HEADER_2;
  if (buffer.byteLength < header) return null;
  const eight = (view.getUint32(4, true) & 1) === 1;
  const rate = view.getInt32(8, true);
  const samplesPerPixel = view.getInt32(12, true);
  const channels = version === 1 ? 1 : view.getInt32(20, true);
  if (rate <= 0 || samplesPerPixel <= 0 || channels < 1 || channels > 64) return null;
  const width = eight ? 1 : 2;
  const there = Math.floor((buffer.byteLength - header) / (2 * width * channels));
  const length = Math.min(view.getUint32(16, true), there);
  const values = length * channels * 2;
  const data = eight
    ? new Int8Array(buffer, header, values)
    : new Int16Array(buffer.slice(header, header + values * 2));
  return { rate, samplesPerPixel, channels, length, scale: eight ? 127 : 32767, data };
}

/** Fetches peaks; waits and asks again while the server is still computing them. */
export async function fetchPeaks(id: string, zoom: number, signal: AbortSignal): Promise<Peaks> {
  const query = { format: "dat", version: 2, zoom, channels: "split" };
  const url = BASE + address(`${recordingPath(id)}/peaks`, query);
  for (let tries = 0; ; tries += 1) {
    const answer = await fetch(url, { signal, credentials: "same-origin" });
    if (answer.ok) {
      const peaks = readDat(await answer.arrayBuffer());
      if (peaks) return peaks;
      throw new Refused(answer.status, "unreadable", "", null, {});
    }
    const refused = await refusal(answer);
    if (refused.status === 401 && tries < 2 && (await renewSession())) continue;
    if (refused.status !== 503 || tries > 8) throw refused;
    await pause(backoff(tries), signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    });
  });
}

export interface Span {
  /** Seconds. */
  from: number;
  to: number;
}

/** Silence is what stays below this share of full scale: -40 dB. */
const SILENT = 0.01;
const SILENCE_MIN_S = 1.2;

/** Where all channels are silent for a while, in seconds. */
export function silences(peaks: Peaks): Span[] {
  const limit = Math.max(1, Math.round(peaks.scale * SILENT));
  const step = peaks.samplesPerPixel / peaks.rate;
  const stride = peaks.channels * 2;
  const found: Span[] = [];
  let begun = -1;
  for (let pixel = 0; pixel <= peaks.length; pixel += 1) {
    let quiet = pixel < peaks.length;
    for (let at = pixel * stride; quiet && at < (pixel + 1) * stride; at += 1) {
      quiet = Math.abs(peaks.data[at] ?? 0) <= limit;
    }
    if (quiet && begun < 0) begun = pixel;
    if (!quiet && begun >= 0) {
      const span = { from: begun * step, to: pixel * step };
      if (span.to - span.from >= SILENCE_MIN_S) found.push(span);
      begun = -1;
    }
  }
  return found;
}

/** The silence that a moment lies in; spans are in order. */
export function spanAt(spans: readonly Span[], at: number): Span | null {
  let [low, high] = [0, spans.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const span = spans[middle];
    if (!span) return null;
    if (at < span.from) high = middle - 1;
    else if (at >= span.to) low = middle + 1;
    else return span;
  }
  return null;
}
