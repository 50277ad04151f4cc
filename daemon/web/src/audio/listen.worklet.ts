// Runs on the browser's audio thread: takes frames from the page, gives sound to the card.

import { Jitter } from "./jitter";

declare const sampleRate: number;
declare function registerProcessor(name: string, made: new () => AudioWorkletProcessor): void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

export type ToWorklet =
  | { kind: "format"; rate: number; channels: number }
  | { kind: "sound"; samples: ArrayBuffer; lost: number };

export interface FromWorklet {
  waiting_ms: number;
  dry: number;
  dropped_ms: number;
}

/** Sound is told of four times a second: blocks are 128 frames. */
const TELL_S = 0.25;
/** Holes up to this many frames are filled with silence, so that the delay stays. */
const FILL_MAX = 10;

class Listener extends AudioWorkletProcessor {
  #jitter: Jitter | null = null;
  #untold = 0;

  constructor() {
    super();
    this.port.onmessage = (event: MessageEvent<ToWorklet>) => this.#take(event.data);
  }

  #take(message: ToWorklet): void {
    if (message.kind === "format") {
      this.#jitter = new Jitter(message.rate, message.channels);
      return;
    }
    const jitter = this.#jitter;
    if (!jitter) return;
    const samples = new Int16Array(message.samples);
    if (message.lost > 0 && message.lost <= FILL_MAX) {
      jitter.pushSilence((message.lost * samples.length) / jitter.channels);
    }
    jitter.push(samples);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0];
    const jitter = this.#jitter;
    if (!out || !jitter) return true;
    jitter.pull(out, sampleRate);
    this.#untold += (out[0]?.length ?? 0) / sampleRate;
    if (this.#untold >= TELL_S) {
      this.#untold = 0;
      const told: FromWorklet = {
        waiting_ms: Math.round(jitter.waiting * 1000),
        dry: jitter.dry,
        dropped_ms: Math.round(jitter.dropped * 1000),
      };
      this.port.postMessage(told);
    }
    return true;
  }
}

registerProcessor("callreel-listener", Listener);
