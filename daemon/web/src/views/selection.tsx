// What can be done with the calls that are selected.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask, recordingPath, words } from "../api";
import { bytes } from "../format";
import { changeRow, clearSelected, found, selected, selectRows } from "../search";
import { useStore } from "../store";
import { t } from "../texts";
import type { Can, Row } from "../types";
import { useKeys } from "../ui/keys";
import { Button, Dialog, Field, Notice, Progress, say } from "../ui/parts";

export function SelectionBar({
  can,
  onExport,
}: {
  can: Can;
  onExport: () => void;
}): JSX.Element | null {
  const chosen = useStore(selected);
  const [doing, setDoing] = useState<"tag" | "hold" | null>(null);
  useKeys(chosen.size ? { Escape: clearSelected } : {});
  if (!chosen.size) return null;
  const rows = [...chosen.values()];
  const size = rows.reduce((sum, row) => sum + (row.size_bytes ?? 0), 0);
  return (
    <div class="selection" role="region" aria-label={t.selection.label}>
      <p role="status">
        <strong>{t.selection.count(rows.length)}</strong> <span class="quiet">{bytes(size)}</span>
      </p>
      {can.export && (
        <Button icon="export" kind="main" label={t.selection.export} onClick={onExport} />
      )}
      {can.tag && <Button icon="tag" label={t.selection.tag} onClick={() => setDoing("tag")} />}
      {can.hold && <Button icon="lock" label={t.selection.hold} onClick={() => setDoing("hold")} />}
      <Button
        label={t.selection.allShown}
        kind="quiet"
        onClick={() => selectRows(found.value.rows)}
      />
      <Button icon="close" label={t.selection.clear} bare kind="quiet" onClick={clearSelected} />
      {doing && <ManyDialog what={doing} rows={rows} onClose={() => setDoing(null)} />}
    </div>
  );
}

/** Does one thing to many recordings, one after the other, and says which refused. */
function ManyDialog({
  what,
  rows,
  onClose,
}: {
  what: "tag" | "hold";
  rows: readonly Row[];
  onClose: () => void;
}): JSX.Element {
  const [text, setText] = useState("");
  const [done, setDone] = useState<number | null>(null);
  const [failed, setFailed] = useState<string[]>([]);
  const run = async (): Promise<void> => {
    const refused: string[] = [];
    for (const [index, row] of rows.entries()) {
      setDone(index);
      try {
        if (what === "tag") {
          const body = { tags: [text.trim()] };
          await ask(`${recordingPath(row.id)}/tags`, { method: "POST", body });
          changeRow(row.id, { tags: [...new Set([...row.tags, text.trim()])] });
        } else {
          const body = { reason: text.trim() };
          await ask(`${recordingPath(row.id)}/holds`, { method: "POST", body });
          changeRow(row.id, { held: true });
        }
      } catch (error) {
        refused.push(`${row.recid}: ${words(error)}`);
      }
    }
    setDone(null);
    setFailed(refused);
    if (!refused.length) {
      say(t.selection.done(rows.length));
      onClose();
    }
  };
  return (
    <Dialog title={t.selection.titles[what](rows.length)} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <Field label={what === "tag" ? t.keeping.tag : t.keeping.reason}>
          {(ids) => (
            <input
              {...ids}
              required
              dir="auto"
              maxLength={what === "tag" ? 64 : 500}
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          )}
        </Field>
        {done !== null && <Progress done={done} total={rows.length} label={t.loading} />}
        {failed.length > 0 && <Notice text={failed.slice(0, 5).join("\n")} />}
        <div class="actions">
          <Button label={t.cancel} kind="quiet" onClick={onClose} />
          <Button
            type="submit"
            kind="main"
            label={what === "tag" ? t.selection.tag : t.selection.hold}
            busy={done !== null}
            disabled={!text.trim()}
          />
        </div>
      </form>
    </Dialog>
  );
}
