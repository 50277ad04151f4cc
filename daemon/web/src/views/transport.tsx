// What one plays with: play, jumps, speed, loop, silence, legs; and the menu beside the title.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { BASE, address, recordingPath } from "../api";
import { RATES, type Sound } from "../audio/sound";
import { bytes, length, moment } from "../format";
import { recordingHash } from "../router";
import { useStore } from "../store";
import { t } from "../texts";
import type { Can, Detail } from "../types";
import { Icon } from "../ui/icons";
import { useKeys } from "../ui/keys";
import { copyLink } from "../ui/link";
import { closeOnEscape, closeOnLeave } from "../ui/menu";
import { Button, say } from "../ui/parts";
import { LegSlider } from "./legs";

const JUMP_S = 10;

export function Transport({ detail, sound }: { detail: Detail; sound: Sound }): JSX.Element {
  const state = useStore(sound.state);
  const { loop } = state;
  const jump = (seconds: number): void => sound.seek(sound.position + seconds);
  const play = (): void => {
    if (!sound.element.paused) {
      sound.pause();
      return;
    }
    sound.play().catch(() => say(t.player.notAllowed, true));
  };
  const faster = (step: number): void => {
    const at = RATES.findIndex((rate) => rate >= state.rate - 0.001);
    sound.setRate(RATES[Math.max(0, Math.min(RATES.length - 1, at + step))] ?? 1);
  };
  const setA = (): void => sound.setLoop({ a: sound.position, b: loop.b });
  const setB = (): void => sound.setLoop({ a: loop.a ?? 0, b: sound.position });
  const noLoop = (): void => sound.setLoop({ a: null, b: null });
  const mute = (leg: 0 | 1): void => {
    const next: [boolean, boolean] = [...state.mute];
    next[leg] = !next[leg];
    sound.setLegs({ mute: next });
  };
  const skip = (): void => sound.setSkip(!state.skip);
  useKeys({
    Space: play,
    k: play,
    j: () => jump(-JUMP_S),
    l: () => jump(JUMP_S),
    ",": () => jump(-1),
    ".": () => jump(1),
    "[": () => faster(-1),
    "]": () => faster(1),
    a: setA,
    b: setB,
    c: noLoop,
    s: skip,
    "1": () => mute(0),
    "2": () => mute(1),
  });
  const stereo = detail.channels > 1;
  return (
    <div class="transport" role="group" aria-label={t.player.controls}>
      <div class="transport-main">
        <Button
          icon="back"
          label={t.player.back}
          bare
          kind="quiet"
          keys="J"
          onClick={() => jump(-JUMP_S)}
        />
        <Button
          icon={state.playing ? "pause" : "play"}
          label={state.playing ? t.player.pause : t.player.play}
          bare
          kind="main"
          keys="Space"
          class="play"
          busy={false}
          onClick={play}
        />
        <Button
          icon="forward"
          label={t.player.forward}
          bare
          kind="quiet"
          keys="L"
          onClick={() => jump(JUMP_S)}
        />
        <Clock sound={sound} />
        {state.waiting && state.playing && <span class="quiet small">{t.player.buffering}</span>}
      </div>
      <div class="transport-more">
        <label class="speed">
          <span class="hidden">{t.player.speed}</span>
          <select
            value={String(state.rate)}
            title={`${t.player.speed} ([ ])`}
            onChange={(event) => sound.setRate(Number(event.currentTarget.value))}
          >
            {RATES.map((rate) => (
              <option key={rate} value={String(rate)}>
                {rate}×
              </option>
            ))}
          </select>
        </label>
        <Button icon="skip" label={t.player.skip} pressed={state.skip} keys="S" onClick={skip}>
          <span>{t.player.skipShort}</span>
        </Button>
        <div class="loop" role="group" aria-label={t.player.loop}>
          <Button label={t.player.loopA} pressed={loop.a !== null} keys="A" onClick={setA}>
            <span>A{loop.a !== null && ` ${moment(loop.a)}`}</span>
          </Button>
          <Button label={t.player.loopB} pressed={loop.b !== null} keys="B" onClick={setB}>
            <span>B{loop.b !== null && ` ${moment(loop.b)}`}</span>
          </Button>
          {(loop.a !== null || loop.b !== null) && (
            <Button
              icon="close"
              label={t.player.loopOff}
              bare
              kind="quiet"
              keys="C"
              onClick={noLoop}
            />
          )}
        </div>
      </div>
      <div class="transport-legs">
        {([0, 1] as const).slice(0, stereo ? 2 : 1).map((leg) => (
          <LegSlider
            key={leg}
            leg={leg}
            volume={state.volumes[leg]}
            mute={state.mute[leg]}
            keys={String(leg + 1)}
            {...(stereo ? {} : { name: t.legs.both })}
            onVolume={(volume) => {
              const volumes: [number, number] = [...state.volumes];
              volumes[leg] = volume;
              sound.setLegs({ volumes });
            }}
            onMute={() => mute(leg)}
          />
        ))}
        {stereo && (
          <Button
            icon="ears"
            label={t.player.apart}
            bare
            kind="quiet"
            pressed={state.apart}
            onClick={() => sound.setLegs({ apart: !state.apart })}
          />
        )}
      </div>
    </div>
  );
}

/** The moment and the length; written without a component being drawn anew. */
function Clock({ sound }: { sound: Sound }): JSX.Element {
  const text = useRef<HTMLSpanElement>(null);
  const { duration } = useStore(sound.state);
  useEffect(() => {
    let frame = 0;
    const tell = (): void => {
      frame = requestAnimationFrame(tell);
      const now = moment(sound.position);
      if (text.current && text.current.textContent !== now) text.current.textContent = now;
    };
    tell();
    return () => cancelAnimationFrame(frame);
  }, [sound]);
  return (
    <span class="clock">
      <span ref={text} class="clock-now">
        0:00.0
      </span>
      <span class="quiet"> / {length(duration * 1000)}</span>
    </span>
  );
}

const FORMATS = ["wav", "mp3", "m4a", "webm", "ogg", "flac"] as const;

export function PlayerMenu({ detail, can }: { detail: Detail; can: Can }): JSX.Element {
  const audio = (format?: string): string =>
    BASE + address(`${recordingPath(detail.id)}/audio`, { format, download: true });
  return (
    <>
      <Button
        icon="link"
        label={t.player.copy}
        bare
        kind="quiet"
        onClick={() => {
          const element = document.querySelector<HTMLAudioElement>("body > audio");
          void copyLink(recordingHash(detail.id, element?.currentTime ?? 0));
        }}
      />
      {can.download && detail.state !== "live" && (
        <details class="menu" onKeyDown={closeOnEscape} onFocusOut={closeOnLeave}>
          <summary
            class="button bare quiet"
            aria-label={t.player.download}
            title={t.player.download}
          >
            <Icon name="download" />
          </summary>
          <div class="menu-body end">
            <a href={audio()} download>
              {t.player.original(detail.container.toUpperCase())}
              <span class="quiet"> {bytes(detail.size_bytes)}</span>
            </a>
            {FORMATS.filter((format) => format !== detail.container).map((format) => (
              <a key={format} href={audio(format)} download>
                {format.toUpperCase()}
              </a>
            ))}
          </div>
        </details>
      )}
    </>
  );
}
