// Finding calls: filters above, the list below, and beside it the call that is open.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { endedCalls } from "../lines";
import { go, type Place } from "../router";
import { again, callsHash, filters, filtersOf, found, search, selected } from "../search";
import { useStore } from "../store";
import { t } from "../texts";
import type { Can } from "../types";
import { useKeys } from "../ui/keys";
import { Button } from "../ui/parts";
import { ExportDialog } from "./exportdialog";
import { FilterBar } from "./filters";
import { List } from "./list";
import { Player } from "./player";
import { SelectionBar } from "./selection";

type CallsPlace = Extract<Place, { view: "calls" | "recording" }>;

export function Calls({ where, can }: { where: CallsPlace; can: Can }): JSX.Element {
  const wanted = useStore(filters);
  const open = where.view === "recording" ? where.id : null;
  const [exporting, setExporting] = useState<"selected" | "found" | null>(null);

  useEffect(() => {
    if (where.view === "recording") {
      if (!found.value.known && !found.value.loading) search(filters.value);
      return;
    }
    const next = filtersOf(where.query);
    const isSame = JSON.stringify(next) === JSON.stringify(filters.value);
    if (!isSame || !found.value.known) search(next);
  }, [where]);

  useKeys({
    "/": () => document.getElementById("search")?.focus(),
    r: again,
    Escape: () => {
      if (open) go(callsHash(filters.value));
    },
  });

  return (
    <div class={open ? "calls with-player" : "calls"}>
      <section class="finder" aria-label={t.search.label}>
        {!open && <h1 class="hidden">{t.nav.calls}</h1>}
        <FilterBar
          filters={wanted}
          open={open !== null}
          {...(can.export ? { onExport: () => setExporting("found") } : {})}
        />
        <Fresh />
        <List open={open} selectable={can.export || can.tag} />
        <SelectionBar can={can} onExport={() => setExporting("selected")} />
      </section>
      {open && (
        <section class="opened" aria-label={t.player.label}>
          <Player
            key={open}
            id={open}
            at={where.view === "recording" ? where.at : null}
            can={can}
          />
        </section>
      )}
      {exporting && (
        <ExportDialog
          rows={exporting === "selected" ? [...selected.value.values()] : null}
          onClose={() => setExporting(null)}
        />
      )}
    </div>
  );
}

/** Says that calls ended since the list was made. */
function Fresh(): JSX.Element | null {
  const ended = useStore(endedCalls);
  const { known } = useStore(found);
  if (!ended || !known) return null;
  return (
    <div class="fresh">
      <Button icon="refresh" label={t.search.fresh(ended)} kind="quiet" keys="r" onClick={again} />
    </div>
  );
}
