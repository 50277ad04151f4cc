// The list of calls: only the rows in sight exist, however many were found.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { words } from "../api";
import { clock, day, length } from "../format";
import { go, recordingHash } from "../router";
import { found, more, retry, selectRows, selected, toggleSelected } from "../search";
import { useStore } from "../store";
import { t } from "../texts";
import type { Row } from "../types";
import { Icon } from "../ui/icons";
import { Badge, Button, Empty, Foreign, Loading, Notice } from "../ui/parts";

const ROW = 52;
const ROW_SMALL = 72;
/** Where the style sheet gives a row two lines. */
const SMALL = matchMedia("(max-width: 560px)");
/** Rows drawn beyond what is in sight, and how near the end more are asked for. */
const BEYOND = 8;
const NEAR_END = 40;

export function List({
  open,
  selectable,
}: {
  open: string | null;
  selectable: boolean;
}): JSX.Element {
  const { rows, next, loading, error, known } = useStore(found);
  const chosen = useStore(selected);
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600, small: false });
  const [active, setActive] = useState(0);
  const last = useRef(0);
  const rowHeight = view.small ? ROW_SMALL : ROW;

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = (): void =>
      setView({
        top: element.scrollTop,
        height: element.clientHeight,
        small: SMALL.matches,
      });
    measure();
    const watcher = new ResizeObserver(measure);
    watcher.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      watcher.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, [known]);

  const first = Math.max(0, Math.floor(view.top / rowHeight) - BEYOND);
  const end = Math.min(rows.length, Math.ceil((view.top + view.height) / rowHeight) + BEYOND);
  useEffect(() => {
    if (known && end + NEAR_END >= rows.length) more();
  }, [end, rows.length, known, loading]);

  // A new search begins at the top.
  const firstId = rows[0]?.id;
  useEffect(() => {
    if (box.current && !open) box.current.scrollTop = 0;
    setActive(0);
  }, [firstId]);

  const show = (index: number): void => {
    const to = Math.max(0, Math.min(rows.length - 1, index));
    setActive(to);
    const element = box.current;
    if (!element) return;
    const top = to * rowHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    if (top + rowHeight > element.scrollTop + element.clientHeight) {
      element.scrollTop = top + rowHeight - element.clientHeight;
    }
    requestAnimationFrame(() =>
      element.querySelector<HTMLElement>(`[data-index="${to}"]`)?.focus({ preventScroll: true }),
    );
  };
  const select = (index: number, extend: boolean): void => {
    const row = rows[index];
    if (!row || !selectable) return;
    if (extend) {
      selectRows(rows.slice(Math.min(last.current, index), Math.max(last.current, index) + 1));
    } else toggleSelected(row);
    last.current = index;
  };
  const keys = (event: KeyboardEvent): void => {
    const inSight = Math.max(1, Math.floor(view.height / rowHeight) - 1);
    const moves: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + inSight,
      PageUp: active - inSight,
      Home: 0,
      End: rows.length - 1,
    };
    const to = moves[event.key];
    if (to !== undefined) {
      event.preventDefault();
      if (event.shiftKey) select(active, false);
      show(to);
    } else if (event.key === "Enter") {
      const row = rows[active];
      if (row) go(recordingHash(row.id));
    } else if (event.key === " " || event.key === "x") {
      event.preventDefault();
      select(active, event.shiftKey);
    }
  };

  if (error && !rows.length) {
    return (
      <div class="list-note">
        <Notice text={words(error)}>
          <Button label={t.retry} onClick={retry} />
        </Notice>
      </div>
    );
  }
  if (!known && !rows.length) return <Loading />;
  if (!rows.length && !loading)
    return <Empty title={t.search.nothing} text={t.search.nothingText} />;
  return (
    <div
      class={loading ? "list loading-more" : "list"}
      ref={box}
      role="grid"
      aria-label={t.search.results}
      aria-rowcount={next === null ? rows.length : -1}
      aria-multiselectable={selectable}
      aria-busy={loading}
      onKeyDown={keys}
    >
      <Spacer height={rows.length * rowHeight}>
        {rows.slice(first, end).map((row, offset) => {
          const index = first + offset;
          return (
            <CallRow
              key={row.id}
              row={row}
              before={rows[index - 1]}
              index={index}
              top={index * rowHeight}
              height={rowHeight}
              current={row.id === open}
              active={index === active}
              chosen={chosen.has(row.id)}
              selectable={selectable}
              onSelect={(extend) => select(index, extend)}
              onActive={() => setActive(index)}
            />
          );
        })}
      </Spacer>
      {error ? (
        <Notice text={words(error)}>
          <Button label={t.retry} onClick={retry} />
        </Notice>
      ) : (
        next === null && <p class="list-end">{t.search.end(rows.length)}</p>
      )}
    </div>
  );
}

function Spacer({ height, children }: { height: number; children: JSX.Element[] }): JSX.Element {
  return (
    <div class="spacer" role="rowgroup" style={{ height: `${height}px` }}>
      {children}
    </div>
  );
}

interface CallRowProps {
  row: Row;
  before: Row | undefined;
  index: number;
  top: number;
  height: number;
  current: boolean;
  active: boolean;
  chosen: boolean;
  selectable: boolean;
  onSelect: (extend: boolean) => void;
  onActive: () => void;
}

function CallRow(props: CallRowProps): JSX.Element {
  const { row, before, index, current, active, chosen } = props;
  const date = day(row.started_at);
  const isNewDay = !before || day(before.started_at) !== date;
  return (
    <div
      class={`call-row ${current ? "current" : ""} ${chosen ? "chosen" : ""} ${row.state}`}
      role="row"
      aria-rowindex={index + 1}
      aria-selected={props.selectable ? chosen : undefined}
      aria-current={current ? "true" : undefined}
      tabIndex={active ? 0 : -1}
      data-index={index}
      data-id={row.id}
      style={{ transform: `translateY(${props.top}px)`, height: `${props.height}px` }}
      onFocus={props.onActive}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) props.onSelect(event.shiftKey);
        else go(recordingHash(row.id));
      }}
    >
      {props.selectable && (
        <div
          class="cell pick"
          role="gridcell"
          onClick={(event) => {
            event.stopPropagation();
            props.onSelect(event.shiftKey);
          }}
        >
          <span class="box" aria-hidden="true">
            {chosen && <Icon name="check" size={13} />}
          </span>
        </div>
      )}
      <div class="cell at" role="gridcell">
        <span class="row-time">{clock(row.started_at)}</span>
        <span class={isNewDay ? "row-day new" : "row-day"}>{date}</span>
      </div>
      <div class="cell who" role="gridcell">
        <span class="row-numbers">
          {row.direction && (
            <span class={`arrow ${row.direction}`} title={t.directions[row.direction]}>
              <Icon name={row.direction === "in" ? "incoming" : "outgoing"} size={14} />
              <span class="hidden">{t.directions[row.direction]}</span>
            </span>
          )}
          <Foreign text={row.from ?? t.unknownNumber} class="number" />
          <span class="quiet" aria-hidden="true">
            →
          </span>
          <span class="hidden">{t.to}</span>
          <Foreign text={row.to ?? t.unknownNumber} class="number" />
        </span>
        <span class="row-more">
          {[row.agent, row.line]
            .filter((text) => text !== null)
            .map((text) => (
              <Foreign key={text} text={text} />
            ))}
        </span>
      </div>
      <div class="cell signs" role="gridcell">
        <Signs row={row} />
      </div>
      <div class="cell lasts" role="gridcell">
        {length(row.duration_ms)}
      </div>
    </div>
  );
}

const TAGS_SHOWN = 2;

export function Signs({ row }: { row: Row }): JSX.Element {
  return (
    <>
      {row.state !== "sealed" && <Badge text={t.states[row.state] ?? row.state} kind={row.state} />}
      {row.tags.slice(0, TAGS_SHOWN).map((tag) => (
        <span key={tag} class="badge tag">
          <Foreign text={tag} />
        </span>
      ))}
      {row.tags.length > TAGS_SHOWN && (
        <span class="badge tag">+{row.tags.length - TAGS_SHOWN}</span>
      )}
      {row.held && (
        <span class="sign" title={t.keeping.held}>
          <Icon name="lock" size={15} />
          <span class="hidden">{t.keeping.held}</span>
        </span>
      )}
      {row.notes > 0 && (
        <span class="sign" title={t.notes.count(row.notes)}>
          <Icon name="note" size={15} />
          <span class="hidden">{t.notes.count(row.notes)}</span>
        </span>
      )}
    </>
  );
}
