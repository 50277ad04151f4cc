// All lines at a glance: state, who talks to whom, for how long and how loud.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { words } from "../api";
import { listen, listening, stopListening } from "../audio/listen";
import { length } from "../format";
import { isRecorded, lengthNow, lines, linesError, watchLevels } from "../lines";
import { recordingHash } from "../router";
import { useStore } from "../store";
import { t } from "../texts";
import type { Can, Level, Line } from "../types";
import { Icon } from "../ui/icons";
import { Empty, Foreign, Loading, Notice } from "../ui/parts";

const SHOWS = ["all", "busy", "fault"] as const;
type Show = (typeof SHOWS)[number];

const isBusy = (line: Line): boolean => isRecorded(line) || !["idle", "fault"].includes(line.state);
const isFault = (line: Line): boolean => line.state === "fault" || Boolean(line.fault);

export function Wall({ can }: { can: Can }): JSX.Element {
  const all = useStore(lines);
  const error = useStore(linesError);
  const [show, setShow] = useState<Show>("all");
  const now = useSeconds();
  if (!all) {
    return <div class="page">{error ? <Notice text={words(error)} /> : <Loading />}</div>;
  }
  const parts: Record<Show, readonly Line[]> = {
    all,
    busy: all.filter(isBusy),
    fault: all.filter(isFault),
  };
  return (
    <div class="page wall-page">
      <div class="page-head">
        <h1>{t.nav.lines}</h1>
        <div class="segments" role="group" aria-label={t.wall.show}>
          {SHOWS.map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={one === show}
              onClick={() => setShow(one)}
            >
              {t.wall.shows[one]} <span class="count">{parts[one].length}</span>
            </button>
          ))}
        </div>
      </div>
      {all.length === 0 && <Empty title={t.wall.none} text={t.wall.noneText} />}
      {all.length > 0 && parts[show].length === 0 && <Empty title={t.wall.noneOfThese} />}
      <ul class="wall">
        {parts[show].map((line) => (
          <LineCard key={line.name} line={line} can={can} now={now} />
        ))}
      </ul>
    </div>
  );
}

function useSeconds(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function LineCard({ line, can, now }: { line: Line; can: Can; now: number }): JSX.Element {
  const heard = useStore(listening);
  const isHeard = heard?.line === line.name;
  const lasted = lengthNow(line, now);
  const isTalking = isRecorded(line);
  const state = isFault(line) ? "fault" : line.state;
  return (
    <li class={`line ${state}`}>
      <div class="line-head">
        <span class="dot" aria-hidden="true" />
        <Foreign text={line.name} class="line-name" />
        <span class="line-state">{t.wall.states[state] ?? state}</span>
        {lasted !== null && <span class="line-time">{length(lasted)}</span>}
      </div>
      <p class="line-who">
        {isBusy(line) && (
          <>
            <Foreign text={line.from ?? t.unknownNumber} />
            <Icon name="right" size={12} />
            <span class="hidden">{t.to}</span>
            <Foreign text={line.to ?? t.unknownNumber} />
          </>
        )}
        {!isBusy(line) && line.fault && <Foreign text={line.fault} class="line-agent" />}
      </p>
      <div class="line-foot">
        <span class="line-agent">{line.agent && <Foreign text={line.agent} />}</span>
        {isTalking && can.listen_live && (
          <button
            type="button"
            class={isHeard ? "button small main" : "button small"}
            aria-pressed={isHeard}
            onClick={() => (isHeard ? stopListening() : listen(line.name))}
          >
            <Icon name="ears" size={15} />
            <span>{isHeard ? t.wall.stop : t.wall.listen}</span>
            <span class="hidden">{line.name}</span>
          </button>
        )}
        {isTalking && line.recording_id && (
          <a class="button small" href={recordingHash(line.recording_id)}>
            {t.wall.open}
            <span class="hidden">{line.name}</span>
          </a>
        )}
      </div>
      <Meters line={line} />
    </li>
  );
}

/** -60 dB to 0 dB as 0 to 1. */
const share = (db: number | null | undefined): number =>
  db === null || db === undefined ? 0 : Math.max(0, Math.min(1, 1 + db / 60));

/** Levels move without a component being drawn anew: many lines tell theirs five times a second. */
function Meters({ line }: { line: Line }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const show = (levels: readonly Level[]): void => {
      box.current?.querySelectorAll<HTMLElement>(".meter").forEach((meter, leg) => {
        meter.style.setProperty("--rms", String(share(levels[leg]?.rms_db)));
        meter.style.setProperty("--peak", String(share(levels[leg]?.peak_db)));
      });
    };
    show(isBusy(line) ? (line.levels ?? []) : []);
    return watchLevels(line.name, show);
  }, [line.name, line.state]);
  return (
    <div class="meters" ref={box} aria-hidden="true">
      <div class="meter caller">
        <i />
        <b />
      </div>
      <div class="meter callee">
        <i />
        <b />
      </div>
    </div>
  );
}
