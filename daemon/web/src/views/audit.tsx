// The audit trail: who did what and when, newest first.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { address, ask, isAbort, words } from "../api";
import { clock, count, day, fromLocalInput, toLocalInput } from "../format";
import { go, recordingHash } from "../router";
import { t } from "../texts";
import type { AuditEntry } from "../types";
import { Button, Dialog, Empty, Field, Foreign, Loading, Notice, say } from "../ui/parts";

const PAGE_ENTRIES = 100;
const FIELDS = ["person", "recording", "kind", "from", "to"] as const;

export function Audit({ query }: { query: URLSearchParams }): JSX.Element {
  const [entries, setEntries] = useState<readonly AuditEntry[]>([]);
  const [next, setNext] = useState<string | null>(null);
  const [loading, setLoading] = useState(true);
  const [error, setError] = useState<unknown>(null);
  const [keyShown, setKeyShown] = useState(false);
  const stop = useRef(new AbortController());
  const asked = query.toString();

  const load = async (cursor: string | null): Promise<void> => {
    const mine = stop.current;
    setLoading(true);
    setError(null);
    const wanted = Object.fromEntries(FIELDS.map((name) => [name, query.get(name)]));
    try {
      const answer = await ask<{ entries: AuditEntry[]; next: string | null }>(
        address("/audit", { ...wanted, limit: PAGE_ENTRIES, cursor }),
        { signal: mine.signal },
      );
      if (mine.signal.aborted) return;
      setEntries((old) => (cursor === null ? answer.entries : [...old, ...answer.entries]));
      setNext(answer.next);
    } catch (failed) {
      if (isAbort(failed)) return;
      setError(failed);
    }
    setLoading(false);
  };
  useEffect(() => {
    stop.current.abort();
    stop.current = new AbortController();
    void load(null);
    return () => stop.current.abort();
  }, [asked]);

  const set = (name: string, value: string): void => {
    const changed = Object.fromEntries(query);
    go(address("#/audit", { ...changed, [name]: value }));
  };
  const text = (name: "person" | "recording" | "kind"): JSX.Element => (
    <Field label={t.audit.fields[name]}>
      {(ids) => (
        <input
          {...ids}
          dir="auto"
          list={name === "kind" ? "audit-kinds" : undefined}
          value={query.get(name) ?? ""}
          onChange={(event) => set(name, event.currentTarget.value.trim())}
        />
      )}
    </Field>
  );
  const time = (name: "from" | "to"): JSX.Element => (
    <Field label={t.search.names[name]}>
      {(ids) => (
        <input
          {...ids}
          type="datetime-local"
          value={toLocalInput(Number(query.get(name)) || undefined)}
          onChange={(event) => {
            const at = fromLocalInput(event.currentTarget.value);
            set(name, at === undefined ? "" : String(at));
          }}
        />
      )}
    </Field>
  );
  return (
    <div class="page">
      <div class="page-head">
        <h1>{t.nav.audit}</h1>
        <Button label={t.audit.key} onClick={() => setKeyShown(true)} />
      </div>
      <div class="filter-panel" role="search" aria-label={t.search.filters}>
        {text("person")}
        {text("kind")}
        {text("recording")}
        {time("from")}
        {time("to")}
      </div>
      <datalist id="audit-kinds">
        {Object.entries(t.audit.kinds).map(([kind, name]) => (
          <option key={kind} value={kind}>
            {name}
          </option>
        ))}
      </datalist>
      {error !== null && (
        <Notice text={words(error)}>
          <Button label={t.retry} onClick={() => void load(null)} />
        </Notice>
      )}
      {!loading && !error && !entries.length && <Empty title={t.audit.none} />}
      {entries.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label={t.nav.audit}>
          <table class="table audit">
            <thead>
              <tr>
                <th scope="col">{t.audit.at}</th>
                <th scope="col">{t.audit.who}</th>
                <th scope="col">{t.audit.what}</th>
                <th scope="col">{t.audit.on}</th>
                <th scope="col" class="right">
                  {t.audit.seq}
                </th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <Entry key={entry.seq} entry={entry} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {loading && <Loading />}
      {!loading && next !== null && (
        <div class="row centre-row">
          <Button label={t.audit.more} onClick={() => void load(next)} />
        </div>
      )}
      {keyShown && <KeyDialog onClose={() => setKeyShown(false)} />}
    </div>
  );
}

function detailText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function Entry({ entry }: { entry: AuditEntry }): JSX.Element {
  const [open, setOpen] = useState(false);
  const details = Object.entries(entry.details ?? {});
  const who = entry.who;
  return (
    <>
      <tr>
        <td class="nowrap">
          {day(entry.at)} <span class="tabular">{clock(entry.at)}</span>
        </td>
        <td>
          {who ? <Foreign text={who.name ?? who.id ?? who.kind} /> : t.audit.system}
          {entry.from && <span class="quiet small block">{entry.from}</span>}
        </td>
        <td>
          <button type="button" class="link" aria-expanded={open} onClick={() => setOpen(!open)}>
            {t.audit.kinds[entry.kind] ?? entry.kind}
          </button>
        </td>
        <td>
          {entry.recording ? (
            <a href={recordingHash(entry.recording)}>
              <Foreign text={entry.recording} />
            </a>
          ) : (
            <span class="quiet">
              <Foreign
                text={details
                  .slice(0, 1)
                  .map(([, value]) => detailText(value))
                  .join("")}
              />
            </span>
          )}
        </td>
        <td class="right tabular quiet">{count(entry.seq)}</td>
      </tr>
      {open && (
        <tr class="entry-more">
          <td colSpan={5}>
            <dl class="facts">
              {details.map(([name, value]) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>
                    <Foreign text={detailText(value)} />
                  </dd>
                </div>
              ))}
              {entry.tenant && (
                <div>
                  <dt>{t.facts.tenant}</dt>
                  <dd>
                    <Foreign text={entry.tenant} />
                  </dd>
                </div>
              )}
              <div>
                <dt>{t.audit.hash}</dt>
                <dd>
                  <code>{entry.hash}</code>
                </dd>
              </div>
            </dl>
          </td>
        </tr>
      )}
    </>
  );
}

function KeyDialog({ onClose }: { onClose: () => void }): JSX.Element {
  const [key, setKey] = useState<{ key_id: string; public_key_pem: string } | null>(null);
  useEffect(() => {
    ask<{ key_id: string; public_key_pem: string }>("/audit/key").then(setKey, (error: unknown) => {
      say(words(error), true);
      onClose();
    });
  }, []);
  return (
    <Dialog title={t.audit.key} onClose={onClose} wide>
      <p>{t.audit.keyText}</p>
      {key ? (
        <>
          <p>
            {t.audit.keyId} <code>{key.key_id}</code>
          </p>
          <pre tabIndex={0}>{key.public_key_pem}</pre>
        </>
      ) : (
        <Loading />
      )}
    </Dialog>
  );
}
