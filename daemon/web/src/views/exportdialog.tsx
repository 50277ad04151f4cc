// Begins an export: of what is selected, or of all that the search finds.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { words } from "../api";
import { begin, exportQuery } from "../exports";
import { bytes } from "../format";
import { go } from "../router";
import { clearSelected, filters } from "../search";
import { t } from "../texts";
import type { Row } from "../types";
import { Button, Dialog, Notice } from "../ui/parts";

export function ExportDialog({
  rows,
  onClose,
}: {
  rows: readonly Row[] | null;
  onClose: () => void;
}): JSX.Element {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const live = rows?.filter((row) => row.state === "live").length ?? 0;
  const ready = rows?.filter((row) => row.state !== "live") ?? null;
  const size = ready?.reduce((sum, row) => sum + (row.size_bytes ?? 0), 0) ?? 0;
  const run = async (): Promise<void> => {
    setBusy(true);
    try {
      await begin(
        ready ? { ids: ready.map((row) => row.id) } : { query: exportQuery(filters.value) },
      );
      if (rows) clearSelected();
      onClose();
      go("#/exports");
    } catch (failed) {
      setError(words(failed));
      setBusy(false);
    }
  };
  return (
    <Dialog title={t.exports.begin} onClose={onClose}>
      <p>{ready ? t.exports.beginSome(ready.length, bytes(size)) : t.exports.beginAll}</p>
      <p class="quiet">{t.exports.holds}</p>
      {live > 0 && <Notice kind="warn" text={t.exports.live(live)} />}
      {error && <Notice text={error} />}
      <div class="actions">
        <Button label={t.cancel} kind="quiet" onClick={onClose} />
        <Button
          kind="main"
          icon="export"
          label={t.exports.go}
          busy={busy}
          disabled={ready?.length === 0}
          onClick={() => void run()}
        />
      </div>
    </Dialog>
  );
}
