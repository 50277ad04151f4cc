// Users: who they are, what they may do, and from where.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask, session, words } from "../api";
import { when } from "../format";
import { t } from "../texts";
import type { AdminTenant, AdminUser, Role } from "../types";
import { useLoad } from "../ui/load";
import { Badge, Button, Field, Foreign, Loading, Notice } from "../ui/parts";
import { FormDialog, listed } from "./admin";

const ROLES: readonly Role[] = ["agent-view", "supervisor", "auditor", "admin"];

export function Users(): JSX.Element {
  const { value, error, reload } = useLoad<{ users: AdminUser[] }>("/admin/users");
  const [edited, setEdited] = useState<AdminUser | "new" | null>(null);
  const [removed, setRemoved] = useState<AdminUser | null>(null);
  const close = (): void => {
    setEdited(null);
    setRemoved(null);
  };
  const done = (): void => {
    close();
    reload();
  };
  return (
    <section>
      <div class="row spread">
        <p class="quiet">{t.admin.usersText}</p>
        <Button icon="plus" kind="main" label={t.admin.addUser} onClick={() => setEdited("new")} />
      </div>
      {error !== null && <Notice text={words(error)} />}
      {!value && !error && <Loading />}
      {value && (
        <div class="scroll" tabIndex={0} role="region" aria-label={t.admin.names.users}>
          <table class="table">
            <thead>
              <tr>
                <th scope="col">{t.session.name}</th>
                <th scope="col">{t.admin.role}</th>
                <th scope="col">{t.facts.tenant}</th>
                <th scope="col">{t.admin.groups}</th>
                <th scope="col">{t.admin.allow}</th>
                <th scope="col">
                  <span class="hidden">{t.admin.acts}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {value.users.map((user) => (
                <tr key={user.user_id} class={user.disabled_at ? "off" : ""}>
                  <td>
                    <Foreign text={user.name} />{" "}
                    {user.disabled_at && (
                      <Badge text={t.admin.off} title={when(user.disabled_at)} />
                    )}
                  </td>
                  <td>{t.roles[user.role]}</td>
                  <td>
                    <Foreign text={user.tenant} />
                  </td>
                  <td>
                    <Foreign
                      text={
                        [...(user.groups ?? []), user.line ?? ""].filter(Boolean).join(", ") || "–"
                      }
                    />
                  </td>
                  <td>{user.allow.join(", ") || t.admin.anywhere}</td>
                  <td class="right nowrap">
                    <Button
                      icon="edit"
                      label={t.admin.editUser(user.name)}
                      bare
                      kind="quiet"
                      onClick={() => setEdited(user)}
                    />
                    <Button
                      icon="trash"
                      label={t.admin.removeUser(user.name)}
                      bare
                      kind="quiet"
                      onClick={() => setRemoved(user)}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {edited && (
        <UserDialog user={edited === "new" ? null : edited} onClose={close} onDone={done} />
      )}
      {removed && (
        <FormDialog
          title={t.admin.removeUser(removed.name)}
          button={t.admin.remove}
          bad
          run={() => ask(`/admin/users/${encodeURIComponent(removed.name)}`, { method: "DELETE" })}
          onClose={close}
          onDone={done}
        >
          <p>{t.admin.removeUserText}</p>
        </FormDialog>
      )}
    </section>
  );
}

interface UserDialogProps {
  user: AdminUser | null;
  onClose: () => void;
  onDone: () => void;
}

function UserDialog({ user, onClose, onDone }: UserDialogProps): JSX.Element {
  const { value: tenants } = useLoad<{ tenants: AdminTenant[] }>(
    session.value?.can.tenants === false ? null : "/admin/tenants",
  );
  const { value: groups } = useLoad<{ groups: { name: string }[] }>("/admin/groups");
  const [name, setName] = useState(user?.name ?? "");
  const [tenant, setTenant] = useState(user?.tenant ?? session.value?.user.tenant ?? "");
  const [role, setRole] = useState<Role>(user?.role ?? "agent-view");
  const [password, setPassword] = useState("");
  const [group, setGroup] = useState((user?.groups ?? []).join(", "));
  const [line, setLine] = useState(user?.line ?? "");
  const [allow, setAllow] = useState((user?.allow ?? []).join(", "));
  const [disabled, setDisabled] = useState(user?.disabled_at != null);
  const run = (): Promise<unknown> => {
    const common = { role, groups: listed(group), allow: listed(allow), line: line.trim() || null };
    if (!user) {
      const body = { ...common, name: name.trim(), tenant, password };
      return ask("/admin/users", { method: "POST", body });
    }
    const body: Record<string, unknown> = {};
    const before = {
      role: user.role,
      groups: user.groups ?? [],
      allow: user.allow,
      line: user.line ?? null,
    };
    for (const [field, value] of Object.entries(common)) {
      const old = before[field as keyof typeof before];
      if (JSON.stringify(value) !== JSON.stringify(old)) body[field] = value;
    }
    if (password) body["password"] = password;
    if (disabled !== (user.disabled_at !== null)) body["disabled"] = disabled;
    return ask(`/admin/users/${encodeURIComponent(user.name)}`, { method: "PATCH", body });
  };
  const text = (
    label: string,
    value: string,
    set: (value: string) => void,
    hint: string,
    list?: string,
  ): JSX.Element => (
    <Field label={label} hint={hint}>
      {(ids) => (
        <input
          {...ids}
          dir="auto"
          list={list}
          spellcheck={false}
          value={value}
          onInput={(event) => set(event.currentTarget.value)}
        />
      )}
    </Field>
  );
  return (
    <FormDialog
      title={user ? t.admin.editUser(user.name) : t.admin.addUser}
      button={t.save}
      run={run}
      onClose={onClose}
      onDone={onDone}
    >
      {!user && (
        <>
          <Field label={t.session.name}>
            {(ids) => (
              <input
                {...ids}
                required
                autocomplete="off"
                value={name}
                onInput={(event) => setName(event.currentTarget.value)}
              />
            )}
          </Field>
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
        </>
      )}
      <Field label={t.admin.role} hint={t.admin.rolesText[role]}>
        {(ids) => (
          <select
            {...ids}
            value={role}
            onChange={(event) => setRole(event.currentTarget.value as Role)}
          >
            {ROLES.map((one) => (
              <option key={one} value={one}>
                {t.roles[one]}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field
        label={user ? t.admin.newPassword : t.session.password}
        hint={user ? t.admin.newPasswordHint : t.admin.passwordHint}
      >
        {(ids) => (
          <input
            {...ids}
            type="password"
            autocomplete="new-password"
            minLength={8}
            maxLength={256}
            required={!user}
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
        )}
      </Field>
      {text(t.admin.groups, group, setGroup, t.admin.groupsHint, "known-groups")}
      <datalist id="known-groups">
        {groups?.groups.map((one) => (
          <option key={one.name} value={one.name} />
        ))}
      </datalist>
      {text(t.facts.line, line, setLine, t.admin.lineHint)}
      {text(t.admin.allow, allow, setAllow, t.admin.allowHint)}
      {user && (
        <label class="check">
          <input
            type="checkbox"
            checked={disabled}
            onChange={(event) => setDisabled(event.currentTarget.checked)}
          />
          {t.admin.switchOff}
        </label>
      )}
    </FormDialog>
  );
}
