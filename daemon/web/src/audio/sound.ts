// What plays: one `<audio>` element, its legs apart, loops and skipped silence. It knows nothing
// of the page; whoever owns it watches `state` and `failed`.

import { Store } from "../store";
import { type Span, spanAt } from "./peaks";

export interface Loop {
  a: number | null;
  b: number | null;
}

export interface SoundState {
  playing: boolean;
  waiting: boolean;
  duration: number;
  rate: number;
  skip: boolean;
  loop: Loop;
  /** Volumes of the legs, 0 to 1.5, and which are mute. */
  volumes: [number, number];
  mute: [boolean, boolean];
  /** Each leg in its own ear, or both in both. */
  apart: boolean;
}

export const RATES = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3] as const;
/** How much of a silence is left at its ends, in seconds. */
const SKIP_MARGIN = 0.25;
/** A jump that saves less than this is not worth the click. */
const SKIP_MIN = 0.4;

const BEGIN: SoundState = {
  playing: false,
  waiting: false,
  duration: 0,
  rate: 1,
  skip: false,
  loop: { a: null, b: null },
  volumes: [1, 1],
  mute: [false, false],
  apart: true,
};

export class Sound {
  readonly element: HTMLAudioElement;
  readonly state = new Store<SoundState>(BEGIN);
  /** Called when the element gives up: with what it says and where it stood. */
  failed: ((code: number, at: number, playing: boolean) => void) | null = null;
  #graph: Graph | null = null;
  #channels = 2;
  #silences: readonly Span[] = [];
  #frame = 0;
  #wanted: number | null = null;
  #gone = false;

  constructor(element: HTMLAudioElement) {
    this.element = element;
    element.preload = "metadata";
    element.preservesPitch = true;
    const on = (name: string, act: () => void): void => element.addEventListener(name, act);
    on("play", () => this.#set({ playing: true }));
    on("playing", () => {
      this.#set({ waiting: false });
      this.#watch();
    });
    on("pause", () => this.#set({ playing: false, waiting: false }));
    on("waiting", () => this.#set({ waiting: true }));
    on("ended", () => this.#set({ playing: false, waiting: false }));
    on("durationchange", () => this.#length());
    on("loadedmetadata", () => {
      this.#length();
      this.element.playbackRate = this.state.value.rate;
      if (this.#wanted !== null) this.element.currentTime = this.#wanted;
      this.#wanted = null;
    });
    on("timeupdate", () => this.#guard());
    on("error", () => {
      if (this.#gone || !element.hasAttribute("src")) return;
      const at = this.#wanted ?? element.currentTime;
      this.failed?.(element.error?.code ?? 0, at, this.state.value.playing);
    });
  }

  get position(): number {
    return this.#wanted ?? this.element.currentTime;
  }

  /** Begins with another address, at a moment. */
  load(url: string, channels: number, at: number, knownSeconds: number): void {
    this.#channels = channels;
    this.#wanted = at > 0 ? at : null;
    this.#graph?.arrange(channels, this.state.value);
    this.#set({ duration: knownSeconds, waiting: false });
    this.element.src = url;
    this.element.load();
  }

  async play(): Promise<void> {
    this.#graph ??= Graph.of(this.element);
    this.#graph?.arrange(this.#channels, this.state.value);
    await this.#graph?.wake();
    if (this.element.ended) this.seek(this.state.value.loop.a ?? 0);
    try {
      await this.element.play();
    } catch (error) {
      // A newer load or a pause came in between; true faults come as the element's `error`.
      if (error instanceof DOMException && error.name === "NotAllowedError") throw error;
    }
  }

  pause(): void {
    this.element.pause();
  }

  toggle(): void {
    if (this.element.paused) void this.play();
    else this.pause();
  }

  seek(seconds: number): void {
    const end = this.state.value.duration || Infinity;
    const to = Math.max(0, Math.min(seconds, end));
    if (this.element.readyState === 0) this.#wanted = to;
    else this.element.currentTime = to;
  }

  setRate(rate: number): void {
    this.element.playbackRate = rate;
    this.element.defaultPlaybackRate = rate;
    this.#set({ rate });
  }

  setSkip(skip: boolean): void {
    this.#set({ skip });
  }

  setSilences(spans: readonly Span[]): void {
    this.#silences = spans;
  }

  setLoop(loop: Loop): void {
    const { a, b } = loop;
    this.#set({ loop: a !== null && b !== null && a > b ? { a: b, b: a } : loop });
    if (this.state.value.loop.b !== null) this.#guard();
  }

  setLegs(change: Partial<Pick<SoundState, "volumes" | "mute" | "apart">>): void {
    this.#set(change);
    this.#graph?.arrange(this.#channels, this.state.value);
  }

  end(): void {
    this.#gone = true;
    cancelAnimationFrame(this.#frame);
    this.element.pause();
    this.element.removeAttribute("src");
    this.element.load();
    this.#graph?.close();
  }

  #set(change: Partial<SoundState>): void {
    this.state.update((state) => ({ ...state, ...change }));
  }

  #length(): void {
    const seconds = this.element.duration;
    if (Number.isFinite(seconds) && seconds > 0) this.#set({ duration: seconds });
  }

  /** Looks at the position more often than `timeupdate` comes, while something depends on it. */
  #watch(): void {
    cancelAnimationFrame(this.#frame);
    const look = (): void => {
      if (this.element.paused || this.#gone) return;
      this.#guard();
      this.#frame = requestAnimationFrame(look);
    };
    this.#frame = requestAnimationFrame(look);
  }

  #guard(): void {
    const { loop, skip, playing } = this.state.value;
    if (!playing || this.element.seeking) return;
    const at = this.element.currentTime;
    if (loop.a !== null && loop.b !== null && loop.b - loop.a > 0.05) {
      if (at >= loop.b || at < loop.a - 0.3) {
        this.element.currentTime = loop.a;
        return;
      }
    }
    if (!skip) return;
    const silence = spanAt(this.#silences, at);
    if (!silence || at < silence.from + SKIP_MARGIN) return;
    const to = Math.min(silence.to - SKIP_MARGIN, loop.b ?? Infinity);
    if (to - at > SKIP_MIN) this.element.currentTime = to;
  }
}

/** Takes the element's channels apart: one gain a leg, to its own ear or to both. */
class Graph {
  readonly #context: AudioContext;
  readonly #source: MediaElementAudioSourceNode;
  #nodes: AudioNode[] = [];
  #gains: GainNode[] = [];
  #shape = "";

  private constructor(element: HTMLAudioElement) {
    this.#context = new AudioContext({ latencyHint: "playback" });
    this.#source = this.#context.createMediaElementSource(element);
  }

  /** Null where the browser has no audio graph to give: then the element plays by itself. */
  static of(element: HTMLAudioElement): Graph | null {
    try {
      return new Graph(element);
    } catch {
      return null;
    }
  }

  async wake(): Promise<void> {
    if (this.#context.state === "suspended") await this.#context.resume();
  }

  arrange(channels: number, state: SoundState): void {
    const shape = channels < 2 ? "mono" : state.apart ? "apart" : "together";
    if (shape !== this.#shape) this.#connect(shape);
    this.#gains.forEach((gain, leg) => {
      const volume = state.mute[leg] ? 0 : (state.volumes[leg] ?? 1);
      gain.gain.setTargetAtTime(volume, this.#context.currentTime, 0.015);
    });
  }

  #connect(shape: string): void {
    this.#source.disconnect();
    for (const node of this.#nodes) node.disconnect();
    this.#shape = shape;
    const context = this.#context;
    if (shape === "mono") {
      const gain = context.createGain();
      this.#source.connect(gain).connect(context.destination);
      this.#gains = [gain];
      this.#nodes = [gain];
      return;
    }
    const splitter = context.createChannelSplitter(2);
    const merger = context.createChannelMerger(2);
    this.#gains = [context.createGain(), context.createGain()];
    this.#source.connect(splitter);
    this.#gains.forEach((gain, leg) => {
      splitter.connect(gain, leg);
      if (shape === "apart") gain.connect(merger, 0, leg);
      else for (const ear of [0, 1]) gain.connect(merger, 0, ear);
    });
    merger.connect(context.destination);
    this.#nodes = [splitter, merger, ...this.#gains];
  }

  close(): void {
    void this.#context.close();
  }
}
