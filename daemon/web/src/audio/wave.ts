// Draws a recording: one lane a leg, gaps, masked spans, the loop and the place of the needle. The
// lanes are drawn once for a view and coloured by copying; a frame of playing costs two copies.

import type { Gap, Masked } from "../types";
import type { Peaks } from "./peaks";
import type { Loop } from "./sound";

export interface View {
  /** Seconds. */
  from: number;
  to: number;
}

export interface Scene {
  duration: number;
  channels: number;
  peaks: Peaks | null;
  gaps: readonly Gap[];
  masked: readonly Masked[];
  loop: Loop;
  view: View;
  position: number;
  hover: number | null;
  mute: readonly boolean[];
}

interface Colours {
  lanes: [string, string];
  rest: string;
  rule: string;
  text: string;
  needle: string;
  loop: string;
  gap: string;
  masked: string;
}

export const RULER = 20;
const LANE_GAP = 6;
const GAIN_MAX = 6;

export class Wave {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D | null;
  #played: HTMLCanvasElement | null = null;
  #unplayed: HTMLCanvasElement | null = null;
  #drawn = "";
  #peaks: Peaks | null = null;
  #gain = 1;
  #colours: Colours;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#colours = colours(canvas);
  }

  /** Reads the colours again: the theme has changed. */
  recolour(): void {
    this.#colours = colours(this.#canvas);
    this.#drawn = "";
  }

  draw(scene: Scene): void {
    const context = this.#context;
    if (!context) return;
    const [width, height, ratio] = this.#fit();
    if (width < 2) return;
    if (scene.peaks !== this.#peaks) {
      this.#peaks = scene.peaks;
      this.#gain = gain(scene.peaks);
      this.#drawn = "";
    }
    const { from, to } = scene.view;
    const key = [width, height, ratio, from, to, scene.mute.join(), scene.channels].join(" ");
    if (key !== this.#drawn) {
      this.#drawn = key;
      this.#lanes(scene, width, height, ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const x = (seconds: number): number => ((seconds - from) / (to - from)) * width;
    this.#ruler(scene, width, height, x);
    const needle = Math.max(0, Math.min(width, x(scene.position)));
    this.#copy(this.#played, 0, needle, height, ratio);
    this.#copy(this.#unplayed, needle, width, height, ratio);
    this.#spans(scene, height, x);
    this.#loop(scene.loop, width, height, x);
    if (scene.hover !== null) {
      context.fillStyle = this.#colours.rule;
      context.fillRect(Math.round(x(scene.hover)), RULER, 1, height - RULER);
    }
    const at = x(scene.position);
    if (at >= -1 && at <= width + 1) {
      context.fillStyle = this.#colours.needle;
      context.fillRect(Math.max(0, Math.min(width - 2, at - 1)), RULER - 4, 2, height - RULER + 4);
      context.beginPath();
      context.arc(Math.max(4, Math.min(width - 4, at)), RULER - 4, 4, 0, Math.PI * 2);
      context.fill();
    }
  }

  #fit(): [number, number, number] {
    const ratio = Math.min(3, devicePixelRatio || 1);
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.#canvas.width !== w || this.#canvas.height !== h) {
      this.#canvas.width = w;
      this.#canvas.height = h;
    }
    return [width, height, ratio];
  }

  #copy(
    layer: HTMLCanvasElement | null,
    from: number,
    to: number,
    height: number,
    ratio: number,
  ): void {
    if (!layer || to <= from || layer.width === 0) return;
    const width = to - from;
    const [sx, sw] = [from * ratio, width * ratio];
    this.#context?.drawImage(layer, sx, 0, sw, layer.height, from, 0, width, height);
  }

  #lanes(scene: Scene, width: number, height: number, ratio: number): void {
    this.#played = this.#layer(this.#played, width, height, ratio);
    this.#unplayed = this.#layer(this.#unplayed, width, height, ratio);
    const lanes = Math.max(1, Math.min(2, scene.channels));
    const laneHeight = (height - RULER - LANE_GAP * (lanes - 1)) / lanes;
    for (let lane = 0; lane < lanes; lane += 1) {
      const top = RULER + lane * (laneHeight + LANE_GAP);
      const colour = this.#colours.lanes[lane] ?? this.#colours.rest;
      const mute = scene.mute[lane] === true;
      this.#lane(this.#played, scene, lane, top, laneHeight, ratio, colour, mute ? 0.25 : 1);
      this.#lane(this.#unplayed, scene, lane, top, laneHeight, ratio, colour, mute ? 0.15 : 0.45);
    }
  }

  #layer(
    known: HTMLCanvasElement | null,
    width: number,
    height: number,
    ratio: number,
  ): HTMLCanvasElement {
    const layer = known ?? document.createElement("canvas");
    layer.width = Math.round(width * ratio);
    layer.height = Math.round(height * ratio);
    return layer;
  }

  #lane(
    layer: HTMLCanvasElement,
    scene: Scene,
    lane: number,
    top: number,
    laneHeight: number,
    ratio: number,
    colour: string,
    alpha: number,
  ): void {
    const context = layer.getContext("2d");
    if (!context) return;
    const peaks = scene.peaks;
    const middle = (top + laneHeight / 2) * ratio;
    const half = (laneHeight / 2) * ratio;
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.fillRect(0, middle - ratio / 2, layer.width, ratio);
    if (!peaks) return;
    const channel = Math.min(lane, peaks.channels - 1);
    const stride = peaks.channels * 2;
    const perSecond = peaks.rate / peaks.samplesPerPixel;
    const { from, to } = scene.view;
    const perColumn = ((to - from) * perSecond) / layer.width;
    const scale = (half * this.#gain) / peaks.scale;
    for (let column = 0; column < layer.width; column += 1) {
      const begin = Math.floor(from * perSecond + column * perColumn);
      const end = Math.max(begin + 1, Math.floor(from * perSecond + (column + 1) * perColumn));
      if (begin >= peaks.length) break;
      let [low, high] = [0, 0];
      for (let pixel = begin; pixel < end && pixel < peaks.length; pixel += 1) {
        const at = pixel * stride + channel * 2;
        low = Math.min(low, peaks.data[at] ?? 0);
        high = Math.max(high, peaks.data[at + 1] ?? 0);
      }
      const up = Math.min(half, high * scale);
      const down = Math.min(half, -low * scale);
      if (up + down > 0.5) context.fillRect(column, middle - up, 1, up + down);
    }
    context.globalAlpha = 1;
  }

  #ruler(scene: Scene, width: number, height: number, x: (seconds: number) => number): void {
    const context = this.#context;
    if (!context) return;
    const { from, to } = scene.view;
    const step = tick((to - from) / Math.max(2, width / 90));
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
      const left = Math.round(x(at));
      context.fillStyle = this.#colours.rule;
      context.fillRect(left, RULER - 5, 1, height - RULER + 5);
      context.fillStyle = this.#colours.text;
      const text = label(at, step);
      const space = context.measureText(text).width;
      const place = left - space / 2;
      if (place >= -space / 2 && place + space <= width + space / 2) {
        context.fillText(text, Math.max(0, Math.min(width - space, place)), 7);
      }
    }
  }

  #spans(scene: Scene, height: number, x: (seconds: number) => number): void {
    const context = this.#context;
    if (!context) return;
    const band = (span: Gap, colour: string, lean: number): void => {
      const left = x(span.at_ms / 1000);
      const right = x((span.at_ms + span.ms) / 1000);
      const wide = Math.max(2, right - left);
      if (right < 0 || left > this.#canvas.clientWidth) return;
      context.save();
      context.beginPath();
      context.rect(left, RULER, wide, height - RULER);
      context.clip();
      context.fillStyle = colour;
      context.globalAlpha = 0.16;
      context.fillRect(left, RULER, wide, height - RULER);
      context.globalAlpha = 0.55;
      context.strokeStyle = colour;
      context.lineWidth = 1;
      context.beginPath();
      const tall = height - RULER;
      for (let at = left - tall; at < left + wide + tall; at += 7) {
        context.moveTo(at, lean > 0 ? height : RULER);
        context.lineTo(at + tall, lean > 0 ? RULER : height);
      }
      context.stroke();
      context.restore();
    };
    for (const gap of scene.gaps) band(gap, this.#colours.gap, 1);
    for (const masked of scene.masked) band(masked, this.#colours.masked, -1);
  }

  #loop(loop: Loop, width: number, height: number, x: (seconds: number) => number): void {
    const context = this.#context;
    if (!context || (loop.a === null && loop.b === null)) return;
    context.fillStyle = this.#colours.loop;
    if (loop.a !== null && loop.b !== null) {
      context.globalAlpha = 0.14;
      const [left, right] = [Math.max(0, x(loop.a)), Math.min(width, x(loop.b))];
      context.fillRect(left, RULER, right - left, height - RULER);
      context.globalAlpha = 1;
    }
    context.font = "600 10px system-ui, sans-serif";
    for (const [at, name, side] of [
      [loop.a, "A", 1],
      [loop.b, "B", -1],
    ] as const) {
      if (at === null) continue;
      const left = x(at);
      context.fillStyle = this.#colours.loop;
      context.fillRect(left - 1, RULER, 2, height - RULER);
      context.fillRect(side > 0 ? left : left - 12, RULER, 12, 13);
      context.fillStyle = this.#colours.rest;
      context.fillText(name, side > 0 ? left + 3 : left - 9, RULER + 7);
    }
  }
}

function colours(element: Element): Colours {
  const style = getComputedStyle(element);
  const read = (name: string): string => style.getPropertyValue(name).trim() || "#888";
  return {
    lanes: [read("--caller"), read("--callee")],
    rest: read("--surface"),
    rule: read("--rule"),
    text: read("--quiet"),
    needle: read("--ink"),
    loop: read("--accent"),
    gap: read("--bad"),
    masked: read("--quiet"),
  };
}

/** Quiet telephones are drawn larger, but not noise as if it were speech. */
function gain(peaks: Peaks | null): number {
  if (!peaks) return 1;
  let most = 1;
  for (const value of peaks.data) if (Math.abs(value) > most) most = Math.abs(value);
  return Math.min(GAIN_MAX, (peaks.scale * 0.94) / most);
}

const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

function tick(least: number): number {
  return TICKS.find((step) => step >= least) ?? 14_400;
}

function label(at: number, step: number): string {
  const whole = Math.floor(at + 1e-6);
  const seconds = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  const tail = step < 1 ? `.${Math.round((at - whole) * 10)}` : "";
  if (hours) return `${hours}:${String(minutes).padStart(2, "0")}:${seconds}${tail}`;
  return `${minutes}:${seconds}${tail}`;
}
