// The buffer between the network's irregular frames and the sound card's regular ones: it keeps a
// small reserve, follows the sender's clock by playing a little faster or slower, and never lets
// the delay grow. Pure: the worklet feeds it and tests do, too.

const CAPACITY_S = 2;
/** The reserve before sound begins; grows by a step with each time it ran dry. */
export const RESERVE_S = 0.12;
const RESERVE_STEP_S = 0.02;
const RESERVE_MAX_S = 0.24;
/** What lies above the reserve by more than this is thrown away. */
const EXCESS_S = 0.2;
/** The most by which speed is bent: not heard. */
const BEND_MAX = 0.01;

export class Jitter {
  readonly rate: number;
  readonly channels: number;
  dry = 0;
  dropped = 0;
  reserve = RESERVE_S;
  readonly #ring: Float32Array[];
  readonly #size: number;
  #written = 0;
  #read = 0;
  #filling = true;

  constructor(rate: number, channels: number) {
    this.rate = rate;
    this.channels = channels;
    this.#size = Math.ceil(rate * CAPACITY_S);
    this.#ring = Array.from({ length: channels }, () => new Float32Array(this.#size));
  }

  /** Seconds of sound that wait. */
  get waiting(): number {
    return (this.#written - this.#read) / this.rate;
  }

  /** Interleaved samples of 16 bits. */
  push(samples: Int16Array): void {
    const frames = Math.floor(samples.length / this.channels);
    for (let frame = 0; frame < frames; frame += 1) {
      const at = (this.#written + frame) % this.#size;
      for (let channel = 0; channel < this.channels; channel += 1) {
        const ring = this.#ring[channel];
        if (ring) ring[at] = (samples[frame * this.channels + channel] ?? 0) / 32768;
      }
    }
    this.#written += frames;
    this.#bound();
  }

  /** Stands in for frames that never came. */
  pushSilence(frames: number): void {
    this.push(new Int16Array(frames * this.channels));
  }

  #bound(): void {
    const most = Math.min(this.reserve + EXCESS_S, CAPACITY_S * 0.9);
    if (this.waiting <= most) return;
    const keep = Math.round(this.reserve * this.rate);
    const drop = this.#written - keep - this.#read;
    this.#read += drop;
    this.dropped += drop / this.rate;
  }

  /** Fills `out` (one array a channel) at the card's rate. */
  pull(out: readonly Float32Array[], cardRate: number): void {
    const frames = out[0]?.length ?? 0;
    if (this.#filling && this.waiting >= this.reserve) this.#filling = false;
    const lean = (this.waiting - this.reserve) / this.reserve;
    const bend = Math.max(-BEND_MAX, Math.min(BEND_MAX, lean * BEND_MAX));
    const step = (this.rate / cardRate) * (1 + bend);
    for (let frame = 0; frame < frames; frame += 1) {
      if (!this.#filling && this.#read + 3 > this.#written) {
        this.#filling = true;
        this.dry += 1;
        this.reserve = Math.min(RESERVE_MAX_S, this.reserve + RESERVE_STEP_S);
      }
      if (this.#filling) {
        for (const ear of out) ear[frame] = 0;
        continue;
      }
      out.forEach((ear, index) => {
        ear[frame] = this.#at(Math.min(index, this.channels - 1));
      });
      this.#read += step;
    }
  }

  /** The sound between four neighbours, by a cubic through them. */
  #at(channel: number): number {
    const ring = this.#ring[channel];
    if (!ring) return 0;
    const whole = Math.floor(this.#read);
    const part = this.#read - whole;
    const sample = (offset: number): number =>
      ring[(whole + offset + this.#size) % this.#size] ?? 0;
    const [a, b, c, d] = [sample(-1), sample(0), sample(1), sample(2)];
    const linear = (c - a) / 2;
    const square = a - 2.5 * b + 2 * c - d / 2;
    const cube = (d - a) / 2 + 1.5 * (b - c);
    return ((cube * part + square) * part + linear) * part + b;
  }
}
