// How the appliance does.

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { words } from "../api";
import { bytes, count, span, when } from "../format";
import { t } from "../texts";
import type { Health } from "../types";
import { useLoad } from "../ui/load";
import { Badge, Loading, Notice } from "../ui/parts";

const AGAIN_MS = 10_000;

export function HealthView(): JSX.Element {
  const { value: health, error, reload } = useLoad<Health>("/health");
  useEffect(() => {
    const timer = setInterval(reload, AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  const h = t.health;
  return (
    <div class="page">
      <div class="page-head">
        <h1>{t.nav.health}</h1>
        {health && (
          <Badge text={health.ready ? h.ready : h.notReady} kind={health.ready ? "good" : "bad"} />
        )}
      </div>
      {error !== null && <Notice text={words(error)} kind="warn" />}
      {!health && !error && <Loading />}
      {health && (
        <>
          {health.alarms.length > 0 && (
            <ul class="alarms" aria-label={h.alarms}>
              {health.alarms.map((alarm) => (
                <li key={alarm.text} class={alarm.level}>
                  {alarm.at !== null && <span class="tabular">{when(alarm.at)}</span>}
                  <span dir="auto">{alarm.text}</span>
                </li>
              ))}
            </ul>
          )}
          <div class="cards">
            <Card
              title={h.lines}
              big={count(health.lines.recording)}
              unit={h.recordingNow(health.lines.total)}
              bad={health.lines.fault > 0}
              rows={[[h.faults, count(health.lines.fault)]]}
            />
            <Card
              title={h.store}
              big={count(health.store.recordings)}
              unit={h.recordings}
              bad={!["ok", "normal", "fine"].includes(health.store.level)}
              rows={[
                [h.used, bytes(health.store.bytes)],
                [h.free, bytes(health.store.free_bytes)],
                [h.level, h.levels[health.store.level] ?? health.store.level],
              ]}
            />
            <Card
              title={h.ledger}
              big={count(health.ledger.entries)}
              unit={h.entries}
              bad={Boolean(health.ledger.broken)}
              rows={[
                [h.checkpoint, when(health.ledger.checkpoint_at)],
                [h.key, health.ledger.key_id ?? "–"],
                [h.chain, health.ledger.broken ? h.broken : h.whole],
              ]}
            />
            <Card
              title={h.clock}
              big={health.clock.synchronised ? h.synchronised : h.notSynchronised}
              unit=""
              bad={!health.clock.synchronised}
              rows={[[h.standing, h.standings[health.clock.standing] ?? health.clock.standing]]}
            />
            <Card
              title={h.retention}
              big={count(health.retention.deleted)}
              unit={h.deleted}
              rows={[[h.lastPass, when(health.retention.last_pass_at)]]}
            />
            <Card
              title={h.service}
              big={span(health.uptime_ms)}
              unit={h.up}
              rows={[[h.version, health.version]]}
            />
          </div>
        </>
      )}
    </div>
  );
}

function Card({
  title,
  big,
  unit,
  rows,
  bad,
}: {
  title: string;
  big: string;
  unit: string;
  rows: [string, string][];
  bad?: boolean;
}): JSX.Element {
  return (
    <section class={bad ? "card stat bad" : "card stat"}>
      <h2>{title}</h2>
      <p class="big">
        {big} <span class="quiet">{unit}</span>
      </p>
      <dl class="facts">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
