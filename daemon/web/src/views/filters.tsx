// What is looked for: one field for numbers and note texts, a time, and the rest on demand.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { day, fromLocalInput, length, parseLength, toLocalInput } from "../format";
import { lines } from "../lines";
import { go, replace } from "../router";
import { callsHash, search } from "../search";
import { useStore } from "../store";
import { t } from "../texts";
import type { Filters } from "../types";
import { Icon } from "../ui/icons";
import { Button, Field } from "../ui/parts";

/** Typing is waited for this long. */
const TYPING_MS = 180;

function without(filters: Filters, ...names: (keyof Filters)[]): Filters {
  const left = Object.entries(filters).filter(([name]) => !names.includes(name as keyof Filters));
  return Object.fromEntries(left);
}

/** What was typed: digits are a number's, anything else is a note's text. */
function typed(filters: Filters, text: string): Filters {
  const rest = without(filters, "number", "q");
  const trimmed = text.trim();
  const digits = trimmed.replace(/[\s().-]/g, "");
  if (/^\+?\d{3,}$/.test(digits)) return { ...rest, number: digits };
  return trimmed && !/^[\d+\s().-]*$/.test(trimmed) ? { ...rest, q: trimmed } : rest;
}

export function FilterBar({
  filters,
  open: isOpen,
  onExport,
}: {
  filters: Filters;
  /** A call is open beside the list: it stays, and the address with it. */
  open: boolean;
  onExport?: () => void;
}): JSX.Element {
  const [text, setText] = useState(filters.number ?? filters.q ?? "");
  const [open, setOpen] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (document.activeElement !== input.current) setText(filters.number ?? filters.q ?? "");
  }, [filters]);
  const set = (next: Filters): void => (isOpen ? search(next) : go(callsHash(next)));
  return (
    <div class="filter-bar">
      <div class="filter-row">
        <form
          role="search"
          class="search-field"
          onSubmit={(event) => {
            event.preventDefault();
            set(typed(filters, text));
          }}
        >
          <Icon name="search" />
          <input
            ref={input}
            id="search"
            type="search"
            value={text}
            placeholder={t.search.placeholder}
            aria-label={t.search.field}
            spellcheck={false}
            autocomplete="off"
            dir="auto"
            onInput={(event) => {
              const value = event.currentTarget.value;
              setText(value);
              const next = typed(filters, value);
              if (JSON.stringify(next) === JSON.stringify(filters)) return;
              search(next, TYPING_MS);
              if (!isOpen) replace(callsHash(next));
            }}
          />
        </form>
        <TimeSelect filters={filters} onChange={set} />
        <Button
          icon="filter"
          label={t.search.filters}
          pressed={open}
          class="filters-button"
          onClick={() => setOpen(!open)}
        />
        {onExport && (
          <Button icon="export" label={t.search.exportAll} bare kind="quiet" onClick={onExport} />
        )}
      </div>
      {open && <FilterPanel filters={filters} onChange={set} />}
      <Chips filters={filters} onChange={set} />
    </div>
  );
}

const DAY_MS = 86_400_000;

function startOfDay(back: number): number {
  const now = new Date();
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() - back).getTime();
}

const TIMES: Record<string, () => Pick<Filters, "from" | "to">> = {
  today: () => ({ from: startOfDay(0) }),
  yesterday: () => ({ from: startOfDay(1), to: startOfDay(0) }),
  week: () => ({ from: startOfDay(6) }),
  month: () => ({ from: startOfDay(29) }),
};

interface PartProps {
  filters: Filters;
  onChange: (filters: Filters) => void;
}

function TimeSelect({ filters, onChange }: PartProps): JSX.Element {
  const known = Object.entries(TIMES).find(([, make]) => {
    const span = make();
    return span.from === filters.from && span.to === filters.to;
  });
  const isAny = filters.from === undefined && filters.to === undefined;
  return (
    <select
      class="time-select"
      aria-label={t.search.time}
      value={known?.[0] ?? (isAny ? "any" : "own")}
      onChange={(event) => {
        const rest = without(filters, "from", "to");
        const make = TIMES[event.currentTarget.value];
        onChange(make ? { ...rest, ...make() } : rest);
      }}
    >
      <option value="any">{t.search.times.any}</option>
      <option value="today">{t.search.times.today}</option>
      <option value="yesterday">{t.search.times.yesterday}</option>
      <option value="week">{t.search.times.week}</option>
      <option value="month">{t.search.times.month}</option>
      {!known && !isAny && <option value="own">{t.search.times.own}</option>}
    </select>
  );
}

function FilterPanel({ filters, onChange }: PartProps): JSX.Element {
  const all = useStore(lines) ?? [];
  const setText = (name: keyof Filters) => (event: Event) => {
    const value = (event.currentTarget as HTMLInputElement | HTMLSelectElement).value.trim();
    const rest = without(filters, name);
    onChange(value ? { ...rest, [name]: value } : rest);
  };
  const setTime = (name: "from" | "to") => (event: Event) => {
    const at = fromLocalInput((event.currentTarget as HTMLInputElement).value);
    const rest = without(filters, name);
    onChange(at === undefined ? rest : { ...rest, [name]: at });
  };
  const setLength = (name: "min_ms" | "max_ms") => (event: Event) => {
    const ms = parseLength((event.currentTarget as HTMLInputElement).value);
    const rest = without(filters, name);
    onChange(ms === null ? rest : { ...rest, [name]: ms });
  };
  const shown = (ms: number | undefined): string => (ms === undefined ? "" : length(ms));
  const choice = (
    name: "direction" | "state" | "order",
    words: Record<string, string>,
  ): JSX.Element => (
    <Field label={t.search.names[name]}>
      {(ids) => (
        <select {...ids} value={filters[name] ?? ""} onChange={setText(name)}>
          {Object.entries(words).map(([value, word]) => (
            <option key={value} value={value}>
              {word}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
  const text = (name: "agent" | "tag" | "line"): JSX.Element => (
    <Field label={t.search.names[name]}>
      {(ids) => (
        <input
          {...ids}
          dir="auto"
          list={name === "line" ? "known-lines" : undefined}
          value={filters[name] ?? ""}
          onChange={setText(name)}
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
          value={toLocalInput(filters[name])}
          onChange={setTime(name)}
        />
      )}
    </Field>
  );
  const duration = (name: "min_ms" | "max_ms"): JSX.Element => (
    <Field label={t.search.names[name]}>
      {(ids) => (
        <input
          {...ids}
          inputMode="numeric"
          placeholder="m:ss"
          value={shown(filters[name])}
          onChange={setLength(name)}
        />
      )}
    </Field>
  );
  return (
    <div class="filter-panel" role="group" aria-label={t.search.filters}>
      {time("from")}
      {time("to")}
      {text("line")}
      <datalist id="known-lines">
        {all.map((line) => (
          <option key={line.name} value={line.name} />
        ))}
      </datalist>
      {text("agent")}
      {choice("direction", { "": t.search.any, in: t.directions.in, out: t.directions.out })}
      {text("tag")}
      {duration("min_ms")}
      {duration("max_ms")}
      {choice("state", { "": t.search.any, ...t.states })}
      {choice("order", { "": t.search.newest, asc: t.search.oldest })}
      <label class="check">
        <input
          type="checkbox"
          checked={filters.held === true}
          onChange={(event) => {
            const rest = without(filters, "held");
            onChange(event.currentTarget.checked ? { ...rest, held: true } : rest);
          }}
        />
        {t.search.heldOnly}
      </label>
    </div>
  );
}

function Chips({ filters, onChange }: PartProps): JSX.Element | null {
  const name = t.search.names;
  const chips: [string, (keyof Filters)[]][] = [];
  const { from, to } = filters;
  const isPreset = Object.values(TIMES).some((make) => {
    const span = make();
    return span.from === from && span.to === to;
  });
  if (!isPreset && (from !== undefined || to !== undefined)) {
    const begin = from === undefined ? "…" : day(from);
    const end = to === undefined ? "…" : day(to % DAY_MS === 0 ? to - 1 : to);
    chips.push([begin === end ? begin : `${begin} – ${end}`, ["from", "to"]]);
  }
  for (const one of ["line", "agent", "tag"] as const) {
    const value = filters[one];
    if (value) chips.push([`${name[one]}: ${value}`, [one]]);
  }
  if (filters.direction) chips.push([t.directions[filters.direction], ["direction"]]);
  if (filters.min_ms !== undefined) chips.push([`≥ ${length(filters.min_ms)}`, ["min_ms"]]);
  if (filters.max_ms !== undefined) chips.push([`≤ ${length(filters.max_ms)}`, ["max_ms"]]);
  if (filters.state) chips.push([t.states[filters.state] ?? filters.state, ["state"]]);
  if (filters.held) chips.push([t.search.heldOnly, ["held"]]);
  if (filters.order === "asc") chips.push([t.search.oldest, ["order"]]);
  if (!chips.length) return null;
  return (
    <ul class="chips" aria-label={t.search.active}>
      {chips.map(([text, names]) => (
        <li key={text}>
          <button type="button" onClick={() => onChange(without(filters, ...names))}>
            <bdi dir="auto">{text}</bdi>
            <Icon name="close" size={12} />
            <span class="hidden">{t.search.remove}</span>
          </button>
        </li>
      ))}
      {chips.length > 1 && (
        <li>
          <button type="button" class="plain-chip" onClick={() => onChange({})}>
            {t.search.clear}
          </button>
        </li>
      )}
    </ul>
  );
}
