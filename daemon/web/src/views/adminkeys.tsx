// Keys of the API. A secret is shown once, when it is made.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask, session, words } from "../api";
import { fromLocalInput, when } from "../format";
import { t } from "../texts";
import type { AdminKey, AdminTenant } from "../types";
import { useLoad } from "../ui/load";
import { Badge, Button, Dialog, Field, Foreign, Loading, Notice, say } from "../ui/parts";
import { FormDialog, listed } from "./admin";

const FAMILIES = [
  "task_audio",
  "call_recording",
  "play_audio_file",
  "session_commands",
  "supervisor",
] as const;

interface Issued {
  key: AdminKey;
  secret: string;
  base_url: string | null;
}

export function Keys(): JSX.Element {
  const { value, error, reload } = useLoad<{ keys: AdminKey[] }>("/admin/keys");
  const [asking, setAsking] = useState<"new" | { rotate: AdminKey } | { revoke: AdminKey } | null>(
    null,
  );
  const [issued, setIssued] = useState<Issued | null>(null);
  const close = (): void => setAsking(null);
  const done = (): void => {
    close();
    reload();
  };
  return (
    <section>
      <div class="row spread">
        <p class="quiet">{t.admin.keysText}</p>
        <Button icon="plus" kind="main" label={t.admin.issueKey} onClick={() => setAsking("new")} />
      </div>
      {error !== null && <Notice text={words(error)} />}
      {!value && !error && <Loading />}
      {value && (
        <div class="scroll" tabIndex={0} role="region" aria-label={t.admin.names.keys}>
          <table class="table">
            <thead>
              <tr>
                <th scope="col">{t.admin.keyId}</th>
                <th scope="col">{t.admin.family}</th>
                <th scope="col">{t.facts.tenant}</th>
                <th scope="col">{t.admin.label}</th>
                <th scope="col">{t.admin.expires}</th>
                <th scope="col">
                  <span class="hidden">{t.admin.acts}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {value.keys.map((key) => (
                <tr key={key.key_id} class={key.revoked_at ? "off" : ""}>
                  <td>
                    <code>{key.key_id}</code>{" "}
                    {key.revoked_at && (
                      <Badge text={t.admin.revoked} title={when(key.revoked_at)} />
                    )}
                  </td>
                  <td>{key.family}</td>
                  <td>
                    <Foreign text={key.tenant} />
                  </td>
                  <td>
                    <Foreign text={key.label || "–"} />
                  </td>
                  <td>{key.expires_at ? when(key.expires_at) : t.admin.never}</td>
                  <td class="right nowrap">
                    {!key.revoked_at && (
                      <>
                        <Button
                          label={t.admin.rotate}
                          kind="quiet"
                          onClick={() => setAsking({ rotate: key })}
                        />
                        <Button
                          label={t.admin.revoke}
                          kind="quiet"
                          onClick={() => setAsking({ revoke: key })}
                        />
                      </>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {asking === "new" && <IssueDialog onClose={close} onDone={done} onIssued={setIssued} />}
      {asking !== null && asking !== "new" && "rotate" in asking && (
        <RotateDialog keyRow={asking.rotate} onClose={close} onDone={done} onIssued={setIssued} />
      )}
      {asking !== null && asking !== "new" && "revoke" in asking && (
        <FormDialog
          title={t.admin.revokeTitle(asking.revoke.key_id)}
          button={t.admin.revoke}
          bad
          run={() =>
            ask(`/admin/keys/${encodeURIComponent(asking.revoke.key_id)}/revoke`, {
              method: "POST",
              body: {},
            })
          }
          onClose={close}
          onDone={done}
        >
          <p>{t.admin.revokeText}</p>
        </FormDialog>
      )}
      {issued && !asking && <SecretDialog issued={issued} onClose={() => setIssued(null)} />}
    </section>
  );
}

interface MadeProps {
  onClose: () => void;
  onDone: () => void;
  onIssued: (issued: Issued) => void;
}

function IssueDialog({ onClose, onDone, onIssued }: MadeProps): JSX.Element {
  const { value: tenants } = useLoad<{ tenants: AdminTenant[] }>(
    session.value?.can.tenants === false ? null : "/admin/tenants",
  );
  const [tenant, setTenant] = useState(session.value?.user.tenant ?? "");
  const [family, setFamily] = useState<string>(FAMILIES[0]);
  const [label, setLabel] = useState("");
  const [allow, setAllow] = useState("");
  const [expires, setExpires] = useState("");
  const run = async (): Promise<void> => {
    const at = fromLocalInput(expires);
    const body = {
      tenant,
      family,
      label: label.trim(),
      allow: listed(allow),
      ...(at === undefined ? {} : { expires: { at: new Date(at).toISOString() } }),
    };
    onIssued(await ask<Issued>("/admin/keys", { method: "POST", body }));
  };
  return (
    <FormDialog
      title={t.admin.issueKey}
      button={t.admin.issueKey}
      run={run}
      onClose={onClose}
      onDone={onDone}
    >
      <Field label={t.facts.tenant}>
        {(ids) => (
          <select
            {...ids}
            value={tenant}
            onChange={(event) => setTenant(event.currentTarget.value)}
          >
            {(tenants?.tenants.map((one) => one.name) ?? [tenant]).map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={t.admin.family}>
        {(ids) => (
          <select
            {...ids}
            value={family}
            onChange={(event) => setFamily(event.currentTarget.value)}
          >
            {FAMILIES.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={t.admin.label} hint={t.admin.labelHint}>
        {(ids) => (
          <input
            {...ids}
            dir="auto"
            maxLength={256}
            value={label}
            onInput={(event) => setLabel(event.currentTarget.value)}
          />
        )}
      </Field>
      <Field label={t.admin.allow} hint={t.admin.allowHint}>
        {(ids) => (
          <input {...ids} value={allow} onInput={(event) => setAllow(event.currentTarget.value)} />
        )}
      </Field>
      <Field label={t.admin.expires} hint={t.admin.expiresHint}>
        {(ids) => (
          <input
            {...ids}
            type="datetime-local"
            value={expires}
            onInput={(event) => setExpires(event.currentTarget.value)}
          />
        )}
      </Field>
    </FormDialog>
  );
}

function RotateDialog({
  keyRow,
  onClose,
  onDone,
  onIssued,
}: MadeProps & { keyRow: AdminKey }): JSX.Element {
  const [hours, setHours] = useState("24");
  const run = async (): Promise<void> => {
    const path = `/admin/keys/${encodeURIComponent(keyRow.key_id)}/rotate`;
    const body = { grace_s: Math.round(Number(hours) * 3600) };
    onIssued(await ask<Issued>(path, { method: "POST", body }));
  };
  return (
    <FormDialog
      title={t.admin.rotateTitle(keyRow.key_id)}
      button={t.admin.rotate}
      run={run}
      onClose={onClose}
      onDone={onDone}
    >
      <Field label={t.admin.grace} hint={t.admin.graceHint}>
        {(ids) => (
          <input
            {...ids}
            type="number"
            min={0}
            max={8760}
            step="any"
            required
            value={hours}
            onInput={(event) => setHours(event.currentTarget.value)}
          />
        )}
      </Field>
    </FormDialog>
  );
}

function SecretDialog({ issued, onClose }: { issued: Issued; onClose: () => void }): JSX.Element {
  return (
    <Dialog title={t.admin.secret} onClose={onClose} firm>
      <p>{t.admin.secretText}</p>
      <pre tabIndex={0} class="secret">
        {issued.secret}
      </pre>
      {issued.base_url && (
        <p class="quiet">
          {t.admin.baseUrl} <code>{issued.base_url}</code>
        </p>
      )}
      <div class="actions">
        {"clipboard" in navigator && (
          <Button
            label={t.admin.copySecret}
            onClick={() =>
              void navigator.clipboard.writeText(issued.secret).then(
                () => say(t.player.copied),
                () => say(t.admin.copyFailed, true),
              )
            }
          />
        )}
        <Button kind="main" label={t.admin.secretKept} onClick={onClose} />
      </div>
    </Dialog>
  );
}
