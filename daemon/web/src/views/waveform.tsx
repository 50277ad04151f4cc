// The waveform as a control: a click goes there, a drag loops, a wheel with Ctrl zooms.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { fetchPeaks, type Peaks } from "../audio/peaks";
import type { Sound } from "../audio/sound";
import { Wave, type View } from "../audio/wave";
import { moment } from "../format";
import { useStore } from "../store";
import { t } from "../texts";
import { theme } from "../theme";
import type { Detail, Digit } from "../types";
import { useKeys } from "../ui/keys";
import { Button } from "../ui/parts";

const DRAG_PX = 6;
const VIEW_MIN_S = 1;
const STEP_S = 5;

interface WaveformProps {
  detail: Detail;
  sound: Sound;
  peaks: Peaks | null;
  peaksError: string | null;
  onNote: () => void;
}

export function Waveform({ detail, sound, peaks, peaksError, onNote }: WaveformProps): JSX.Element {
  const state = useStore(sound.state);
  const duration = Math.max(state.duration, (detail.duration_ms ?? 0) / 1000, 0.1);
  const [view, setView] = useState<View>({ from: 0, to: duration });
  const canvas = useRef<HTMLCanvasElement>(null);
  const slider = useRef<HTMLDivElement>(null);
  const hover = useRef<number | null>(null);
  const fine = useFine(detail, view, peaks, canvas.current?.clientWidth ?? 800);
  const isZoomed = view.to - view.from < duration - 0.05;

  useEffect(() => {
    setView((old) => (old.from === 0 && old.to <= duration ? { from: 0, to: duration } : old));
  }, [duration]);

  const zoom = (factor: number, around: number): void => {
    setView((old) => {
      const wide = Math.min(duration, Math.max(VIEW_MIN_S, (old.to - old.from) * factor));
      const share = (around - old.from) / (old.to - old.from);
      const from = Math.max(0, Math.min(duration - wide, around - wide * share));
      return { from, to: from + wide };
    });
  };
  const shift = (seconds: number): void => {
    setView((old) => {
      const wide = old.to - old.from;
      const from = Math.max(0, Math.min(duration - wide, old.from + seconds));
      return { from, to: from + wide };
    });
  };

  const scene = useRef({ view, duration, peaks: fine, state, detail });
  scene.current = { view, duration, peaks: fine, state, detail };
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const wave = new Wave(element);
    let frame = 0;
    let drawn = "";
    const recolour = (): void => {
      wave.recolour();
      drawn = "";
    };
    const offTheme = theme.watch(() => requestAnimationFrame(recolour));
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", recolour);
    const draw = (): void => {
      frame = requestAnimationFrame(draw);
      const now = scene.current;
      const position = sound.position;
      if (now.state.playing) follow(now.view, position, now.duration, setView);
      const { from, to } = now.view;
      const { loop, mute } = now.state;
      const key = `${from} ${to} ${position.toFixed(3)} ${hover.current ?? ""} ${loop.a ?? ""} ${
        loop.b ?? ""
      } ${mute.join()} ${now.peaks?.length ?? 0} ${now.peaks?.samplesPerPixel ?? 0} ${
        element.clientWidth
      } ${element.clientHeight} ${now.duration}`;
      if (key === drawn) return;
      drawn = key;
      wave.draw({
        duration: now.duration,
        channels: now.detail.channels,
        peaks: now.peaks,
        gaps: now.detail.gap_list,
        masked: now.detail.masked_list,
        loop,
        view: now.view,
        position,
        hover: hover.current,
        mute,
      });
      slider.current?.setAttribute("aria-valuenow", position.toFixed(1));
      slider.current?.setAttribute("aria-valuetext", t.player.at(moment(position)));
    };
    draw();
    return () => {
      cancelAnimationFrame(frame);
      offTheme();
      dark.removeEventListener("change", recolour);
    };
  }, [sound]);

  const at = (event: MouseEvent): number => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box || !box.width) return 0;
    const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    return view.from + share * (view.to - view.from);
  };
  const drag = useDrag(sound, at);

  useEffect(() => {
    const element = slider.current;
    if (!element) return;
    const wheel = (event: WheelEvent): void => {
      const now = scene.current.view;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const box = element.getBoundingClientRect();
        const share = (event.clientX - box.left) / box.width;
        zoom(Math.exp(event.deltaY / 200), now.from + share * (now.to - now.from));
      } else if (event.deltaX || event.shiftKey) {
        event.preventDefault();
        const pixels = event.deltaX || event.deltaY;
        shift((pixels / element.clientWidth) * (now.to - now.from));
      }
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [duration]);

  const nearest = (): number => sound.position;
  useKeys({
    "+": () => zoom(0.5, nearest()),
    "=": () => zoom(0.5, nearest()),
    "-": () => zoom(2, nearest()),
    "Shift+ArrowLeft": () => shift(-(view.to - view.from) / 4),
    "Shift+ArrowRight": () => shift((view.to - view.from) / 4),
    ArrowLeft: () => sound.seek(sound.position - STEP_S),
    ArrowRight: () => sound.seek(sound.position + STEP_S),
    Home: () => sound.seek(0),
    End: () => sound.seek(duration),
  });

  return (
    <div class="waveform">
      <div
        class={detail.channels < 2 ? "wave-box mono" : "wave-box"}
        ref={slider}
        role="slider"
        tabIndex={0}
        aria-label={t.player.position}
        aria-valuemin={0}
        aria-valuemax={Math.round(duration * 10) / 10}
        aria-valuenow={0}
        onPointerDown={drag.down}
        onPointerMove={(event) => {
          hover.current = at(event);
          drag.move(event);
        }}
        onPointerLeave={() => {
          hover.current = null;
        }}
        onPointerUp={drag.up}
        onPointerCancel={drag.cancel}
      >
        <canvas ref={canvas} aria-hidden="true" />
        {peaksError && !peaks && <p class="wave-note">{peaksError}</p>}
        {!peaksError && !peaks && <p class="wave-note">{t.player.peaksComing}</p>}
      </div>
      <Marks detail={detail} view={view} sound={sound} onNote={onNote} />
      <div class="wave-tools">
        <Legend detail={detail} />
        {isZoomed && (
          <input
            type="range"
            class="wave-scroll"
            min={0}
            max={duration - (view.to - view.from)}
            step="any"
            value={view.from}
            aria-label={t.player.scroll}
            onInput={(event) => shift(Number(event.currentTarget.value) - view.from)}
          />
        )}
        <Button
          icon="zoomout"
          label={t.player.zoomOut}
          bare
          kind="quiet"
          keys="-"
          disabled={!isZoomed}
          onClick={() => zoom(2, nearest())}
        />
        <Button
          icon="zoomin"
          label={t.player.zoomIn}
          bare
          kind="quiet"
          keys="+"
          onClick={() => zoom(0.5, nearest())}
        />
      </div>
    </div>
  );
}

/** Turns the page when the needle leaves it. */
function follow(view: View, position: number, duration: number, set: (view: View) => void): void {
  const wide = view.to - view.from;
  if (wide >= duration - 0.05) return;
  if (position >= view.from && position < view.to - wide * 0.02) return;
  const from = Math.max(0, Math.min(duration - wide, position - wide * 0.05));
  if (Math.abs(from - view.from) > 0.01) set({ from, to: from + wide });
}

interface Drag {
  down: (event: PointerEvent) => void;
  move: (event: PointerEvent) => void;
  up: (event: PointerEvent) => void;
  cancel: () => void;
}

/** A click seeks; a mouse that drags marks a loop, a finger that drags scrubs. */
function useDrag(sound: Sound, at: (event: MouseEvent) => number): Drag {
  const begun = useRef<{ x: number; at: number; moved: boolean } | null>(null);
  return {
    down: (event) => {
      if (event.button !== 0) return;
      begun.current = { x: event.clientX, at: at(event), moved: false };
      (event.currentTarget as Element).setPointerCapture(event.pointerId);
    },
    move: (event) => {
      const start = begun.current;
      if (!start) return;
      if (Math.abs(event.clientX - start.x) > DRAG_PX) start.moved = true;
      if (!start.moved) return;
      if (event.pointerType === "mouse") sound.setLoop({ a: start.at, b: at(event) });
      else sound.seek(at(event));
    },
    up: (event) => {
      const start = begun.current;
      begun.current = null;
      if (!start) return;
      if (!start.moved) sound.seek(at(event));
      else if (event.pointerType === "mouse") sound.seek(Math.min(start.at, at(event)));
    },
    cancel: () => {
      begun.current = null;
    },
  };
}

/** Finer peaks where the view is narrow enough to show them. */
function useFine(detail: Detail, view: View, coarse: Peaks | null, width: number): Peaks | null {
  const [fine, setFine] = useState<Peaks | null>(null);
  const wanted = ((view.to - view.from) * detail.rate) / Math.max(1, width);
  const isNeeded = coarse !== null && wanted < coarse.samplesPerPixel / 1.5;
  useEffect(() => setFine(null), [detail.id]);
  useEffect(() => {
    if (!isNeeded || fine) return;
    const stop = new AbortController();
    fetchPeaks(detail.id, Math.max(1, Math.floor(wanted)), stop.signal).then(setFine, () => {
      // The coarse ones stay: nothing is missing but detail.
    });
    return () => stop.abort();
  }, [isNeeded, detail.id]);
  return isNeeded && fine ? fine : coarse;
}

const share = (seconds: number, view: View): number =>
  ((seconds - view.from) / (view.to - view.from)) * 100;

/** Digits nearer than this share of the view are written as one. */
const DIGITS_NEAR = 0.018;

interface Digits {
  at_ms: number;
  text: string;
  title: string;
}

function together(digits: readonly Digit[], view: View): Digits[] {
  const near = (view.to - view.from) * DIGITS_NEAR * 1000;
  const groups: (Digits & { last: number })[] = [];
  for (const { at_ms, digit } of digits) {
    if (at_ms / 1000 < view.from || at_ms / 1000 > view.to) continue;
    const text = digit ?? "•";
    const title = t.player.digit(digit, moment(at_ms / 1000));
    const before = groups.at(-1);
    if (before && at_ms - before.last < near) {
      before.text += text;
      before.title += `\n${title}`;
      before.last = at_ms;
    } else groups.push({ at_ms, text, title, last: at_ms });
  }
  return groups;
}

/** Notes and digits below the lanes, at their moments. */
function Marks({
  detail,
  view,
  sound,
  onNote,
}: {
  detail: Detail;
  view: View;
  sound: Sound;
  onNote: () => void;
}): JSX.Element | null {
  const notes = detail.notes.filter((note) => note.at_ms !== null);
  if (!notes.length && !detail.digits.length) return null;
  const inSight = (ms: number): boolean => ms / 1000 >= view.from && ms / 1000 <= view.to;
  return (
    <div class="marks">
      {together(detail.digits, view).map((group) => (
        <span
          key={group.at_ms}
          class="digit"
          style={{ left: `${share(group.at_ms / 1000, view)}%` }}
          title={group.title}
        >
          {group.text}
        </span>
      ))}
      {notes
        .filter((note) => inSight(note.at_ms ?? 0))
        .map((note) => (
          <button
            key={note.id}
            type="button"
            class="pin"
            style={{ left: `${share((note.at_ms ?? 0) / 1000, view)}%` }}
            aria-label={t.notes.pin(moment((note.at_ms ?? 0) / 1000))}
            title={note.text.slice(0, 200)}
            onClick={() => {
              sound.seek((note.at_ms ?? 0) / 1000);
              onNote();
            }}
          />
        ))}
    </div>
  );
}

function Legend({ detail }: { detail: Detail }): JSX.Element {
  return (
    <ul class="legend" aria-label={t.player.legend}>
      <li class="caller">{detail.channels < 2 ? t.legs.both : t.legs[0]}</li>
      {detail.channels > 1 && <li class="callee">{t.legs[1]}</li>}
      {detail.gap_list.length > 0 && <li class="gap">{t.player.gap}</li>}
      {detail.masked_list.length > 0 && <li class="masked">{t.player.maskedSpan}</li>}
    </ul>
  );
}
