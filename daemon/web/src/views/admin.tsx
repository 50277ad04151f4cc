// Who may do what: users, keys and tenants.

import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { session, words } from "../api";
import { ADMIN_PARTS, type AdminPart } from "../router";
import { t } from "../texts";
import { Button, Dialog, Notice } from "../ui/parts";
import { Keys } from "./adminkeys";
import { Tenants } from "./admintenants";
import { Users } from "./adminusers";

export function Admin({ part }: { part: AdminPart }): JSX.Element {
  const isAbove = session.value?.can.tenants !== false;
  const parts = ADMIN_PARTS.filter((one) => one !== "tenants" || isAbove);
  return (
    <div class="page">
      <div class="page-head">
        <h1>{t.nav.admin}</h1>
        <nav class="segments" aria-label={t.admin.parts}>
          {parts.map((one) => (
            <a key={one} href={`#/admin/${one}`} aria-current={one === part ? "page" : undefined}>
              {t.admin.names[one]}
            </a>
          ))}
        </nav>
      </div>
      {part === "users" && <Users />}
      {part === "keys" && <Keys />}
      {part === "tenants" && <Tenants />}
    </div>
  );
}

interface FormDialogProps {
  title: string;
  button: string;
  bad?: boolean;
  run: () => Promise<unknown>;
  onClose: () => void;
  onDone: () => void;
  children: ComponentChildren;
}

/** A dialog with a form that is sent, and shows why it was refused. */
export function FormDialog(props: FormDialogProps): JSX.Element {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setBusy(true);
          setError(null);
          props.run().then(props.onDone, (failed: unknown) => {
            setError(words(failed));
            setBusy(false);
          });
        }}
      >
        {props.children}
        {error && <Notice text={error} />}
        <div class="actions">
          <Button label={t.cancel} kind="quiet" onClick={props.onClose} />
          <Button
            type="submit"
            kind={props.bad ? "bad" : "main"}
            label={props.button}
            busy={busy}
          />
        </div>
      </form>
    </Dialog>
  );
}

/** Networks and groups are typed apart by commas or spaces. */
export const listed = (text: string): string[] => text.split(/[\s,;]+/).filter(Boolean);
