// Tenants, and what their recordings are kept as.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask, words } from "../api";
import { count, when } from "../format";
import { t } from "../texts";
import type { AdminTenant } from "../types";
import { useLoad } from "../ui/load";
import { Badge, Button, Field, Foreign, Loading, Notice } from "../ui/parts";
import { FormDialog } from "./admin";

const CONTAINERS = ["wav", "flac", "mp3", "m4a", "webm", "ogg"] as const;

export function Tenants(): JSX.Element {
  const { value, error, reload } = useLoad<{ tenants: AdminTenant[] }>("/admin/tenants");
  const [edited, setEdited] = useState<AdminTenant | "new" | null>(null);
  const close = (): void => setEdited(null);
  const done = (): void => {
    close();
    reload();
  };
  return (
    <section>
      <div class="row spread">
        <p class="quiet">{t.admin.tenantsText}</p>
        <Button
          icon="plus"
          kind="main"
          label={t.admin.addTenant}
          onClick={() => setEdited("new")}
        />
      </div>
      {error !== null && <Notice text={words(error)} />}
      {!value && !error && <Loading />}
      {value && (
        <div class="scroll" tabIndex={0} role="region" aria-label={t.admin.names.tenants}>
          <table class="table">
            <thead>
              <tr>
                <th scope="col">{t.facts.tenant}</th>
                <th scope="col" class="right">
                  {t.admin.recordings}
                </th>
                <th scope="col">{t.admin.keptAs}</th>
                <th scope="col">{t.admin.created}</th>
                <th scope="col">
                  <span class="hidden">{t.admin.acts}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {value.tenants.map((tenant) => (
                <tr key={tenant.id} class={tenant.disabled_at ? "off" : ""}>
                  <td>
                    <Foreign text={tenant.name} />{" "}
                    {tenant.disabled_at && (
                      <Badge text={t.admin.off} title={when(tenant.disabled_at)} />
                    )}
                  </td>
                  <td class="right tabular">{count(tenant.recordings)}</td>
                  <td>{tenant.keep_as.toUpperCase()}</td>
                  <td>{when(tenant.created_at)}</td>
                  <td class="right">
                    <Button
                      icon="edit"
                      label={t.admin.editTenant(tenant.name)}
                      bare
                      kind="quiet"
                      onClick={() => setEdited(tenant)}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {edited && (
        <TenantDialog tenant={edited === "new" ? null : edited} onClose={close} onDone={done} />
      )}
    </section>
  );
}

function TenantDialog({
  tenant,
  onClose,
  onDone,
}: {
  tenant: AdminTenant | null;
  onClose: () => void;
  onDone: () => void;
}): JSX.Element {
  const [name, setName] = useState("");
  const [keepAs, setKeepAs] = useState(tenant?.keep_as ?? "wav");
  const [disabled, setDisabled] = useState(tenant?.disabled_at != null);
  const run = (): Promise<unknown> => {
    if (!tenant) return ask("/admin/tenants", { method: "POST", body: { name: name.trim() } });
    const body: Record<string, unknown> = {};
    if (keepAs !== tenant.keep_as) body["keep_as"] = keepAs;
    if (disabled !== (tenant.disabled_at !== null)) body["disabled"] = disabled;
    if (!Object.keys(body).length) return Promise.resolve();
    return ask(`/admin/tenants/${encodeURIComponent(tenant.name)}`, { method: "PATCH", body });
  };
  return (
    <FormDialog
      title={tenant ? t.admin.editTenant(tenant.name) : t.admin.addTenant}
      button={t.save}
      run={run}
      onClose={onClose}
      onDone={onDone}
    >
      {!tenant && (
        <Field label={t.facts.tenant}>
          {(ids) => (
            <input
              {...ids}
              required
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          )}
        </Field>
      )}
      {tenant && (
        <>
          <Field label={t.admin.keptAs} hint={t.admin.keptAsHint}>
            {(ids) => (
              <select
                {...ids}
                value={keepAs}
                onChange={(event) => setKeepAs(event.currentTarget.value)}
              >
                {CONTAINERS.map((one) => (
                  <option key={one} value={one}>
                    {one.toUpperCase()}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <label class="check">
            <input
              type="checkbox"
              checked={disabled}
              onChange={(event) => setDisabled(event.currentTarget.checked)}
            />
            {t.admin.switchOffTenant}
          </label>
        </>
      )}
    </FormDialog>
  );
}
