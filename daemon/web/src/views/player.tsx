// One recording: heard, seen, marked and kept.

import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import {
  ask,
  BASE,
  address,
  backoff,
  online,
  recordingPath,
  Refused,
  renewSession,
  words,
} from "../api";
import { fetchPeaks, type Peaks, silences } from "../audio/peaks";
import { Sound } from "../audio/sound";
import { clock, day, length, when } from "../format";
import { callsHash, changeRow, filters } from "../search";
import { t } from "../texts";
import type { Can, Detail } from "../types";
import { Icon } from "../ui/icons";
import { useLoad } from "../ui/load";
import { Badge, Button, Empty, Foreign, Loading, Notice } from "../ui/parts";
import { Facts } from "./facts";
import { Keeping } from "./keeping";
import { Notes } from "./notes";
import { PlayerMenu, Transport } from "./transport";
import { Waveform } from "./waveform";

/** The finest peaks that are always fetched: enough to see silence by. */
const SILENCE_STEP_S = 0.064;
const LIVE_REFRESH_MS = 3000;

interface PlayerProps {
  id: string;
  at: number | null;
  can: Can;
}

export function Player({ id, at, can }: PlayerProps): JSX.Element {
  const loaded = useLoad<Detail>(recordingPath(id));
  const { value: detail, error } = loaded;
  const back = (
    <a class="button bare quiet back" href={callsHash(filters.value)} aria-label={t.player.close}>
      <Icon name="close" />
    </a>
  );
  if (error instanceof Refused && error.status === 410) return <Gone error={error} back={back} />;
  if (!detail) {
    return (
      <div class="player">
        <div class="player-head">{back}</div>
        {error instanceof Refused && error.status === 404 ? (
          <Empty title={t.player.notFound} text={t.player.notFoundText} />
        ) : error ? (
          <Notice text={words(error)}>
            <Button label={t.retry} onClick={loaded.reload} />
          </Notice>
        ) : (
          <Loading />
        )}
      </div>
    );
  }
  return (
    <Opened
      detail={detail}
      at={at}
      can={can}
      back={back}
      reload={loaded.reload}
      change={(part) => loaded.change({ ...detail, ...part })}
    />
  );
}

function Gone({ error, back }: { error: Refused; back: JSX.Element }): JSX.Element {
  const { deleted_at: at, why, by } = error.more;
  return (
    <div class="player">
      <div class="player-head">{back}</div>
      <div class="empty" role="alert">
        <Icon name="trash" size={28} />
        <p class="empty-title">{t.player.gone}</p>
        {typeof at === "number" && <p>{t.player.goneAt(when(at))}</p>}
        {typeof by === "string" && (
          <p>
            {t.player.goneBy} <Foreign text={by} />
          </p>
        )}
        {typeof why === "string" && (
          <p>
            {t.player.goneWhy} <Foreign text={why} />
          </p>
        )}
      </div>
    </div>
  );
}

interface OpenedProps {
  detail: Detail;
  at: number | null;
  can: Can;
  back: JSX.Element;
  reload: () => void;
  change: (part: Partial<Detail>) => void;
}

function Opened({ detail, at, can, back, reload, change }: OpenedProps): JSX.Element {
  const [part, setPart] = useState<"notes" | "keeping" | "facts">("notes");
  const { sound, trouble, peaks, peaksError } = usePlaying(detail, at, reload);
  const noteCount = detail.notes.length;
  useEffect(() => changeRow(detail.id, { notes: noteCount }), [noteCount]);
  useEffect(
    () => changeRow(detail.id, { tags: detail.tags, held: detail.holds.length > 0 }),
    [detail.tags, detail.holds.length],
  );
  const parts = [
    ["notes", `${t.notes.title} ${noteCount || ""}`],
    ["keeping", t.keeping.title],
    ["facts", t.facts.title],
  ] as const;
  return (
    <article class="player">
      <div class="player-head">
        <div class="player-title">
          <h1>
            <Foreign text={detail.from ?? t.unknownNumber} class="number" />
            <span class="quiet" aria-hidden="true">
              →
            </span>
            <span class="hidden">{t.to}</span>
            <Foreign text={detail.to ?? t.unknownNumber} class="number" />
          </h1>
          <p class="player-facts">
            <span>
              {day(detail.started_at)}, {clock(detail.started_at)}
            </span>
            <span>{length(detail.duration_ms)}</span>
            {detail.line && <Foreign text={detail.line} />}
            {detail.agent && <Foreign text={detail.agent} />}
          </p>
        </div>
        <div class="player-acts">
          <PlayerMenu detail={detail} can={can} />
          {back}
        </div>
      </div>
      <Labels detail={detail} />
      {trouble && (
        <Notice text={trouble.text} kind={trouble.kind}>
          {trouble.retry && <Button label={t.retry} onClick={trouble.retry} />}
        </Notice>
      )}
      <Waveform
        detail={detail}
        sound={sound}
        peaks={peaks}
        peaksError={peaksError}
        onNote={() => setPart("notes")}
      />
      <Transport detail={detail} sound={sound} />
      <div class="parts" role="tablist" aria-label={t.player.parts} onKeyDown={moveTab}>
        {parts.map(([name, label]) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            aria-selected={part === name}
            aria-controls="part"
            tabIndex={part === name ? 0 : -1}
            onClick={() => setPart(name)}
          >
            {label}
          </button>
        ))}
      </div>
      <div id="part" role="tabpanel" aria-labelledby={`tab-${part}`} class="part">
        {part === "notes" && <Notes detail={detail} sound={sound} can={can} change={change} />}
        {part === "keeping" && (
          <Keeping detail={detail} can={can} change={change} reload={reload} />
        )}
        {part === "facts" && <Facts detail={detail} />}
      </div>
    </article>
  );
}

function moveTab(event: KeyboardEvent): void {
  const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  const list = event.currentTarget;
  if (!step || !(list instanceof HTMLElement)) return;
  const tabs = [...list.querySelectorAll<HTMLElement>("[role=tab]")];
  const at = tabs.findIndex((tab) => tab === document.activeElement);
  const next = tabs[(at + step + tabs.length) % tabs.length];
  next?.focus();
  next?.click();
  event.preventDefault();
}

function Labels({ detail }: { detail: Detail }): JSX.Element | null {
  const { state, tags, holds, gap_list: gaps, masked_list: masked } = detail;
  if (state === "sealed" && !tags.length && !holds.length && !gaps.length && !masked.length) {
    return null;
  }
  return (
    <div class="labels">
      {state !== "sealed" && <Badge text={t.states[state] ?? state} kind={state} />}
      {holds.length > 0 && <Badge text={t.keeping.held} icon="lock" kind="held" />}
      {gaps.length > 0 && <Badge text={t.player.gaps(gaps.length)} kind="gap" />}
      {masked.length > 0 && <Badge text={t.player.masked(masked.length)} kind="masked" />}
      {tags.map((tag) => (
        <span key={tag} class="badge tag">
          <Foreign text={tag} />
        </span>
      ))}
    </div>
  );
}

interface Trouble {
  text: string;
  kind: "bad" | "warn";
  retry?: () => void;
}

const TYPES: Record<string, string> = {
  wav: "audio/wav",
  mp3: "audio/mpeg",
  m4a: 'audio/mp4; codecs="mp4a.40.2"',
  webm: 'audio/webm; codecs="opus"',
  ogg: 'audio/ogg; codecs="opus"',
  flac: "audio/flac",
};

/** The address to play from: as stored, or in a format that every browser has. */
function audioUrl(detail: Detail, tries: number): string {
  const type = TYPES[detail.container];
  const isPlayable = type !== undefined && document.createElement("audio").canPlayType(type) !== "";
  const query = { format: isPlayable ? undefined : "m4a", again: tries || undefined };
  return BASE + address(`${recordingPath(detail.id)}/audio`, query);
}

interface Playing {
  sound: Sound;
  trouble: Trouble | null;
  peaks: Peaks | null;
  peaksError: string | null;
}

function usePlaying(detail: Detail, at: number | null, reload: () => void): Playing {
  const sound = useMemo(() => new Sound(document.createElement("audio")), [detail.id]);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const tries = useRef(0);
  const timer = useRef(0);

  useEffect(() => {
    const element = sound.element;
    element.hidden = true;
    document.body.append(element);
    const load = (from: number): void => {
      sound.load(
        audioUrl(detail, tries.current),
        detail.channels,
        from,
        (detail.duration_ms ?? 0) / 1000,
      );
    };
    load(at ?? 0);
    sound.failed = (code, from, playing) => {
      void mend(detail, code).then((found) => {
        if (found === "again" || found === "later") {
          const again = (): void => {
            tries.current += 1;
            load(from);
            if (playing) void sound.play();
          };
          if (found === "again" && tries.current < 3) again();
          else if (found === "later") {
            setTrouble({ text: t.player.lost, kind: "warn", retry: again });
            timer.current = window.setTimeout(again, backoff(tries.current));
          } else setTrouble({ text: t.player.cannot, kind: "bad", retry: again });
        } else if (found === "gone") reload();
        else setTrouble({ text: found.text, kind: "bad", retry: () => load(from) });
      });
    };
    const fine = (): void => {
      tries.current = 0;
      clearTimeout(timer.current);
      setTrouble(null);
    };
    element.addEventListener("canplay", fine);
    return () => {
      clearTimeout(timer.current);
      sound.end();
      element.remove();
    };
  }, [sound]);

  // A link to another moment of the same recording.
  const first = useRef(true);
  useEffect(() => {
    if (!first.current && at !== null) sound.seek(at);
    first.current = false;
  }, [at]);

  const { peaks, error } = usePeaks(detail);
  useEffect(() => {
    if (peaks && peaks.samplesPerPixel / peaks.rate <= SILENCE_STEP_S * 2) {
      sound.setSilences(silences(peaks));
    }
  }, [peaks, sound]);
  useEffect(() => {
    if (detail.state !== "live") return;
    const timer = setInterval(reload, LIVE_REFRESH_MS);
    return () => clearInterval(timer);
  }, [detail.state]);
  return { sound, trouble, peaks, peaksError: error };
}

/** Learns why the sound stopped: the element itself does not know. */
async function mend(detail: Detail, code: number): Promise<"again" | "later" | "gone" | Trouble> {
  try {
    await ask(recordingPath(detail.id), { quiet: true });
  } catch (error) {
    if (!(error instanceof Refused)) return "later";
    if (error.status === 410 || error.status === 404) return "gone";
    if (error.status === 401) {
      return (await renewSession()) ? "again" : { text: t.session.expired, kind: "bad" };
    }
    return error.status >= 500 ? "later" : { text: words(error), kind: "bad" };
  }
  if (code === MediaError.MEDIA_ERR_DECODE) return { text: t.player.undecodable, kind: "bad" };
  return online.value ? "again" : "later";
}

function usePeaks(detail: Detail): { peaks: Peaks | null; error: string | null } {
  const [peaks, setPeaks] = useState<Peaks | null>(null);
  const [error, setError] = useState<string | null>(null);
  const grown = detail.state === "live" ? detail.duration_ms : 0;
  useEffect(() => {
    const stop = new AbortController();
    const zoom = Math.max(1, Math.floor(detail.rate * SILENCE_STEP_S));
    fetchPeaks(detail.id, zoom, stop.signal).then(
      (found) => {
        setPeaks(found);
        setError(null);
      },
      (failed: unknown) => {
        if (stop.signal.aborted) return;
        setError(failed instanceof Refused && failed.message ? failed.message : t.player.noPeaks);
      },
    );
    return () => stop.abort();
  }, [detail.id, grown]);
  return { peaks, error };
}
