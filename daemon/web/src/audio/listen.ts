// Live listening: a WebSocket brings 20 ms frames, a worklet plays them.

import { BASE, Refused, backoff, refreshSession, renewSession, session } from "../api";
import { Store } from "../store";
import { t } from "../texts";
import type { FromWorklet, ToWorklet } from "./listen.worklet";
import workletUrl from "./listen.worklet.ts?worker&url";

export interface ListenState {
  line: string;
  phase: "joining" | "live" | "waiting" | "lost" | "refused" | "ended";
  /** What the server said, where it said anything. */
  message: string | null;
  /** From the capture to the ear, as far as the page can tell, in milliseconds. */
  delay_ms: number | null;
  lost: number;
  volumes: [number, number];
  mute: [boolean, boolean];
  notice: boolean;
}

/** How the server closes: the line is gone, it may not be heard any more, too many listen. */
const CLOSE_DONE = 1000;
const CLOSE_FORBIDDEN = 4403;
const CLOSE_TOO_MANY = 4429;
/** A frame is 20 ms long and is sent when it is full. */
const FRAME_MS = 20;

/** What is being listened to; one line at a time. */
export const listening = new Store<ListenState | null>(null);
let current: Listening | null = null;

export function listen(line: string): void {
  current?.close();
  current = new Listening(line);
}

export function stopListening(): void {
  current?.close();
  current = null;
  listening.set(null);
}

export function setListenLegs(change: Partial<Pick<ListenState, "volumes" | "mute">>): void {
  current?.setLegs(change);
}

class Listening {
  readonly #line: string;
  #context: AudioContext | null = null;
  #node: AudioWorkletNode | null = null;
  #gains: GainNode[] = [];
  #socket: WebSocket | null = null;
  #closed = false;
  #tries = 0;
  #timer = 0;
  #next: number | null = null;

  constructor(line: string) {
    this.#line = line;
    listening.set({
      line,
      phase: "joining",
      message: null,
      delay_ms: null,
      lost: 0,
      volumes: [1, 1],
      mute: [false, false],
      notice: false,
    });
    void this.#begin();
  }

  async #begin(): Promise<void> {
    try {
      const context = new AudioContext({ latencyHint: "interactive" });
      this.#context = context;
      await context.audioWorklet.addModule(workletUrl);
      if (this.#closed) return;
      const options = { numberOfInputs: 0, outputChannelCount: [2] };
      const node = new AudioWorkletNode(context, "callreel-listener", options);
      this.#node = node;
      node.port.onmessage = (event: MessageEvent<FromWorklet>) => this.#told(event.data);
      const [splitter, merger] = [context.createChannelSplitter(2), context.createChannelMerger(2)];
      node.connect(splitter);
      this.#gains = [0, 1].map((leg) => {
        const gain = context.createGain();
        splitter.connect(gain, leg).connect(merger, 0, leg);
        return gain;
      });
      merger.connect(context.destination);
      await context.resume();
      this.#open();
    } catch (error) {
      this.#set({ phase: "refused", message: error instanceof Error ? error.message : null });
    }
  }

  #open(): void {
    if (this.#closed) return;
    const url = new URL(`${BASE}/lines/${encodeURIComponent(this.#line)}/listen`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("codec", "pcm16");
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#next = null;
    let joined = false;
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      joined = true;
      this.#tries = 0;
      if (typeof event.data === "string") this.#text(event.data);
      else this.#frame(event.data);
    };
    socket.onclose = (event) => {
      if (this.#closed || this.#socket !== socket) return;
      void this.#lost(joined, event.code, event.reason);
    };
  }

  /** A socket that closes says no status: ask whether it is the session, then try again. */
  async #lost(joined: boolean, code: number, reason: string): Promise<void> {
    if (code === CLOSE_DONE) {
      this.#set({ phase: "ended", delay_ms: null });
      return;
    }
    if (code === CLOSE_FORBIDDEN || code === CLOSE_TOO_MANY) {
      const message = reason || (code === CLOSE_TOO_MANY ? t.listen.tooMany : null);
      this.#set({ phase: "refused", message, delay_ms: null });
      return;
    }
    this.#set({ phase: "lost", message: reason || null, delay_ms: null });
    try {
      const same = await refreshSession();
      if (!same && session.value && !(await renewSession())) {
        this.#set({ phase: "refused" });
        return;
      }
    } catch (error) {
      if (error instanceof Refused && error.status === 403) {
        this.#set({ phase: "refused", message: error.message });
        return;
      }
    }
    if (!joined && this.#tries >= 5) {
      this.#set({ phase: "refused" });
      return;
    }
    this.#timer = window.setTimeout(() => this.#open(), backoff(this.#tries));
    this.#tries += 1;
  }

  #text(text: string): void {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    const facts = message as Record<string, unknown>;
    if (typeof facts["rate"] === "number" && typeof facts["channels"] === "number") {
      this.#next = null;
      this.#post({ kind: "format", rate: facts["rate"], channels: facts["channels"] });
      this.#set({ phase: "live", message: null });
    } else if (facts["event"] === "ended") {
      this.#set({ phase: "waiting", delay_ms: null });
    } else if (facts["event"] === "recording") {
      this.#next = null;
      this.#set({ phase: "live", message: null });
    } else if (facts["event"] === "notice") {
      this.#set({ notice: true });
    }
  }

  #frame(buffer: ArrayBuffer): void {
    if (buffer.byteLength <= 4) return;
    const sequence = new DataView(buffer).getUint32(0, true);
    const lost = this.#next === null ? 0 : (sequence - this.#next) >>> 0;
    this.#next = (sequence + 1) >>> 0;
    // What seems to lie far ahead came late, or the sender began anew.
    const holes = lost < 1000 ? lost : 0;
    const samples = buffer.slice(4);
    this.#node?.port.postMessage({ kind: "sound", samples, lost: holes } satisfies ToWorklet, [
      samples,
    ]);
    const state = listening.value;
    if (holes > 0 && state) this.#set({ lost: state.lost + holes });
    if (state?.phase !== "live") this.#set({ phase: "live", message: null });
  }

  #told(told: FromWorklet): void {
    const context = this.#context;
    if (!context || listening.value?.phase !== "live") return;
    const card = (context.baseLatency + (context.outputLatency || 0)) * 1000;
    this.#set({ delay_ms: Math.round(told.waiting_ms + FRAME_MS + card) });
  }

  #post(message: ToWorklet): void {
    this.#node?.port.postMessage(message);
  }

  #set(change: Partial<ListenState>): void {
    if (this.#closed) return;
    listening.update((state) => (state ? { ...state, ...change } : state));
  }

  setLegs(change: Partial<Pick<ListenState, "volumes" | "mute">>): void {
    this.#set(change);
    const state = listening.value;
    const now = this.#context?.currentTime ?? 0;
    this.#gains.forEach((gain, leg) => {
      const volume = state?.mute[leg] ? 0 : (state?.volumes[leg] ?? 1);
      gain.gain.setTargetAtTime(volume, now, 0.015);
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
    this.#node?.disconnect();
    void this.#context?.close();
  }
}
