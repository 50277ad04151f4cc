// Notes of a recording: at a moment, or of the whole call.

import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { ask, recordingPath, Refused, words } from "../api";
import type { Sound } from "../audio/sound";
import { moment, when } from "../format";
import { t } from "../texts";
import type { Can, Detail, Note } from "../types";
import { useKeys } from "../ui/keys";
import { Button, Foreign, Notice, say } from "../ui/parts";

/** What the server takes, in bytes of UTF-8. */
const NOTE_BYTES_MAX = 16 * 1024;

interface NotesProps {
  detail: Detail;
  sound: Sound;
  can: Can;
  change: (part: Partial<Detail>) => void;
}

function tooLong(text: string): string | null {
  const size = new TextEncoder().encode(text).length;
  return size > NOTE_BYTES_MAX ? t.notes.tooLong(size, NOTE_BYTES_MAX) : null;
}

function refusal(error: unknown): string {
  if (error instanceof Refused && error.status === 413) return t.notes.refusedSize;
  return words(error);
}

const byMoment = (a: Note, b: Note): number => (a.at_ms ?? -1) - (b.at_ms ?? -1) || a.at - b.at;

export function Notes({ detail, sound, can, change }: NotesProps): JSX.Element {
  const [text, setText] = useState("");
  const [at, setAt] = useState<number | null>(null);
  const [pinned, setPinned] = useState(true);
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  useKeys(
    can.note
      ? {
          n: () => {
            setAt(sound.position);
            area.current?.focus();
          },
        }
      : {},
  );
  const add = async (): Promise<void> => {
    const long = tooLong(text);
    setError(long);
    if (long || !text.trim()) return;
    setBusy(true);
    const moment_ms = pinned ? Math.round((at ?? sound.position) * 1000) : null;
    try {
      const body = { at_ms: moment_ms, text: text.trim() };
      const note = await ask<Note>(`${recordingPath(detail.id)}/notes`, { method: "POST", body });
      change({ notes: [...detail.notes, note] });
      setText("");
      setAt(null);
      sound.element.focus();
    } catch (failed) {
      setError(refusal(failed));
    }
    setBusy(false);
  };
  const notes = [...detail.notes].sort(byMoment);
  return (
    <div class="notes">
      {notes.length === 0 && <p class="quiet">{can.note ? t.notes.none : t.notes.noneHere}</p>}
      <ol class="note-list">
        {notes.map((note) => (
          <NoteItem
            key={note.id}
            note={note}
            detail={detail}
            sound={sound}
            can={can}
            onChange={(next) =>
              change({
                notes: next
                  ? detail.notes.map((other) => (other.id === note.id ? next : other))
                  : detail.notes.filter((other) => other.id !== note.id),
              })
            }
          />
        ))}
      </ol>
      {can.note && (
        <form
          class="note-form"
          onSubmit={(event) => {
            event.preventDefault();
            void add();
          }}
        >
          <textarea
            ref={area}
            rows={2}
            dir="auto"
            aria-label={t.notes.write}
            placeholder={t.notes.placeholder}
            value={text}
            onFocus={() => setAt((old) => old ?? sound.position)}
            onInput={(event) => setText(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void add();
              if (event.key === "Escape") event.currentTarget.blur();
            }}
          />
          {error && <Notice text={error} />}
          <div class="note-acts">
            <label class="check">
              <input
                type="checkbox"
                checked={pinned}
                onChange={(event) => setPinned(event.currentTarget.checked)}
              />
              {at === null ? t.notes.atMoment : t.notes.atThis(moment(at))}
            </label>
            <Button
              type="submit"
              kind="main"
              label={t.notes.add}
              busy={busy}
              disabled={!text.trim()}
            />
          </div>
        </form>
      )}
    </div>
  );
}

interface NoteItemProps {
  note: Note;
  detail: Detail;
  sound: Sound;
  can: Can;
  onChange: (note: Note | null) => void;
}

function NoteItem({ note, detail, sound, can, onChange }: NoteItemProps): JSX.Element {
  const [editing, setEditing] = useState<string | null>(null);
  const path = `${recordingPath(detail.id)}/notes/${encodeURIComponent(note.id)}`;
  const save = async (): Promise<void> => {
    if (editing === null) return;
    const long = tooLong(editing);
    if (long) {
      say(long, true);
      return;
    }
    try {
      const body = { text: editing.trim() };
      const next = await ask<Note | undefined>(path, { method: "PUT", body });
      onChange(next ?? { ...note, text: editing.trim(), edited_at: Date.now() });
      setEditing(null);
    } catch (error) {
      say(refusal(error), true);
    }
  };
  const remove = async (): Promise<void> => {
    try {
      await ask(path, { method: "DELETE" });
      onChange(null);
    } catch (error) {
      say(refusal(error), true);
    }
  };
  const at = note.at_ms;
  return (
    <li class="note">
      {at !== null ? (
        <button type="button" class="note-at" onClick={() => sound.seek(at / 1000)}>
          <span class="hidden">{t.notes.goTo} </span>
          {moment(at / 1000)}
        </button>
      ) : (
        <span class="note-at whole">{t.notes.whole}</span>
      )}
      <div class="note-body">
        {editing === null ? (
          <p dir="auto" class="note-text">
            {note.text}
          </p>
        ) : (
          <textarea
            dir="auto"
            rows={3}
            aria-label={t.notes.edit}
            value={editing}
            onInput={(event) => setEditing(event.currentTarget.value)}
          />
        )}
        <p class="note-by">
          <Foreign text={note.by} /> · {when(note.at)}
          {note.edited_at ? ` · ${t.notes.edited}` : ""}
        </p>
      </div>
      {can.note && (
        <div class="note-tools">
          {editing === null ? (
            <>
              <Button
                icon="edit"
                label={t.notes.edit}
                bare
                kind="quiet"
                onClick={() => setEditing(note.text)}
              />
              <Button
                icon="trash"
                label={t.notes.remove}
                bare
                kind="quiet"
                onClick={() => void remove()}
              />
            </>
          ) : (
            <>
              <Button icon="check" label={t.save} bare onClick={() => void save()} />
              <Button
                icon="close"
                label={t.cancel}
                bare
                kind="quiet"
                onClick={() => setEditing(null)}
              />
            </>
          )}
        </div>
      )}
    </li>
  );
}
