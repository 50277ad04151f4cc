// How long a recording is kept and why: tags, holds, a least time; and deleting it.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask, recordingPath, session, words } from "../api";
import { fromLocalInput, toLocalInput, when } from "../format";
import { again } from "../search";
import { t } from "../texts";
import type { Can, Detail, Hold } from "../types";
import { Icon } from "../ui/icons";
import { Button, Dialog, Field, Foreign, Notice, say } from "../ui/parts";

interface KeepingProps {
  detail: Detail;
  can: Can;
  change: (part: Partial<Detail>) => void;
  reload: () => void;
}

type Asking =
  { what: "hold" } | { what: "lift"; hold: Hold } | { what: "keep" } | { what: "delete" };

export function Keeping({ detail, can, change, reload }: KeepingProps): JSX.Element {
  const [asking, setAsking] = useState<Asking | null>(null);
  const isDone = detail.state !== "live";
  return (
    <div class="keeping">
      <Tags detail={detail} can={can} change={change} />
      <section>
        <h2 class="sub">{t.keeping.holds}</h2>
        {detail.holds.length === 0 && <p class="quiet">{t.keeping.noHolds}</p>}
        <ul class="holds">
          {detail.holds.map((hold) => (
            <li key={hold.id}>
              <Icon name="lock" size={16} />
              <div>
                <p dir="auto">{hold.reason}</p>
                <p class="note-by">
                  <Foreign text={hold.by} /> · {when(hold.at)}
                </p>
              </div>
              {can.hold && (can.lift_any !== false || hold.by === session.value?.user.name) && (
                <Button label={t.keeping.lift} onClick={() => setAsking({ what: "lift", hold })} />
              )}
            </li>
          ))}
        </ul>
        {can.hold && (
          <Button icon="lock" label={t.keeping.hold} onClick={() => setAsking({ what: "hold" })} />
        )}
      </section>
      <section>
        <h2 class="sub">{t.keeping.times}</h2>
        <dl class="facts">
          <div>
            <dt>{t.keeping.until}</dt>
            <dd>{detail.keep_until === null ? t.keeping.noUntil : when(detail.keep_until)}</dd>
          </div>
          {detail.kept_because && (
            <div>
              <dt>{t.keeping.because}</dt>
              <dd>
                <Foreign text={detail.kept_because} />
              </dd>
            </div>
          )}
          <div>
            <dt>{t.keeping.deletable}</dt>
            <dd>{detail.deletable_at === null ? t.keeping.never : when(detail.deletable_at)}</dd>
          </div>
        </dl>
        <div class="row">
          {can.keep && (
            <Button
              icon="clock"
              label={t.keeping.keep}
              onClick={() => setAsking({ what: "keep" })}
            />
          )}
          {can.delete && isDone && (
            <Button
              icon="trash"
              kind="bad"
              label={t.keeping.delete}
              onClick={() => setAsking({ what: "delete" })}
            />
          )}
        </div>
      </section>
      {asking && (
        <KeepDialog
          asking={asking}
          detail={detail}
          onClose={() => setAsking(null)}
          onDone={() => {
            if (asking.what === "delete") again();
            setAsking(null);
            say(t.keeping.done[asking.what]);
            reload();
          }}
        />
      )}
    </div>
  );
}

function Tags({ detail, can, change }: Omit<KeepingProps, "reload">): JSX.Element {
  const [text, setText] = useState("");
  const put = async (method: "POST" | "DELETE", tag: string): Promise<void> => {
    try {
      const body = { tags: [tag] };
      const answer = await ask<{ tags?: string[] } | undefined>(
        `${recordingPath(detail.id)}/tags`,
        {
          method,
          body,
        },
      );
      const rest = detail.tags.filter((other) => other !== tag);
      change({ tags: answer?.tags ?? (method === "POST" ? [...rest, tag] : rest) });
      if (method === "POST") setText("");
    } catch (error) {
      say(words(error), true);
    }
  };
  return (
    <section>
      <h2 class="sub">{t.keeping.tags}</h2>
      {detail.tags.length === 0 && !can.tag && <p class="quiet">{t.keeping.noTags}</p>}
      <ul class="chips">
        {detail.tags.map((tag) => (
          <li key={tag}>
            {can.tag ? (
              <button type="button" onClick={() => void put("DELETE", tag)}>
                <Foreign text={tag} />
                <Icon name="close" size={12} />
                <span class="hidden">{t.keeping.untag}</span>
              </button>
            ) : (
              <span class="badge tag">
                <Foreign text={tag} />
              </span>
            )}
          </li>
        ))}
      </ul>
      {can.tag && (
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            if (text.trim()) void put("POST", text.trim());
          }}
        >
          <input
            aria-label={t.keeping.tag}
            placeholder={t.keeping.tag}
            dir="auto"
            maxLength={64}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          <Button type="submit" icon="plus" label={t.keeping.addTag} disabled={!text.trim()} />
        </form>
      )}
    </section>
  );
}

function send(asking: Asking, detail: Detail, text: string): Promise<unknown> {
  const path = recordingPath(detail.id);
  const reason = { reason: text.trim() };
  switch (asking.what) {
    case "hold":
      return ask(`${path}/holds`, { method: "POST", body: reason });
    case "lift": {
      const hold = encodeURIComponent(asking.hold.id);
      return ask(`${path}/holds/${hold}/lift`, { method: "POST", body: reason });
    }
    case "keep":
      return ask(`${path}/keep-until`, { method: "POST", body: { at: fromLocalInput(text) } });
    case "delete":
      return ask(path, { method: "DELETE", body: reason });
  }
}

function KeepDialog({
  asking,
  detail,
  onClose,
  onDone,
}: {
  asking: Asking;
  detail: Detail;
  onClose: () => void;
  onDone: () => void;
}): JSX.Element {
  const { what } = asking;
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const run = (): void => {
    setBusy(true);
    send(asking, detail, text).then(onDone, (failed: unknown) => {
      setError(words(failed));
      setBusy(false);
    });
  };
  const least = toLocalInput(Math.max(Date.now(), detail.keep_until ?? 0));
  return (
    <Dialog title={t.keeping.titles[what]} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <p>{t.keeping.explain[what]}</p>
        {asking.what === "lift" && <blockquote dir="auto">{asking.hold.reason}</blockquote>}
        <Field label={what === "keep" ? t.keeping.until : t.keeping.reason}>
          {(ids) =>
            what === "keep" ? (
              <input
                {...ids}
                type="datetime-local"
                required
                min={least}
                value={text}
                onInput={(event) => setText(event.currentTarget.value)}
              />
            ) : (
              <input
                {...ids}
                required
                dir="auto"
                maxLength={500}
                value={text}
                onInput={(event) => setText(event.currentTarget.value)}
              />
            )
          }
        </Field>
        {error && <Notice text={error} />}
        <div class="actions">
          <Button label={t.cancel} kind="quiet" onClick={onClose} />
          <Button
            type="submit"
            kind={what === "delete" ? "bad" : "main"}
            label={t.keeping.buttons[what]}
            busy={busy}
            disabled={!text.trim()}
          />
        </div>
      </form>
    </Dialog>
  );
}
