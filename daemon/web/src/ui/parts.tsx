// Small parts that all views are made of.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Store, useStore } from "../store";
import { t } from "../texts";
import { Icon, type IconName } from "./icons";

interface ButtonProps {
  icon?: IconName;
  label: string;
  /** Shows the icon only; the label is for screen readers and the tip. */
  bare?: boolean;
  kind?: "plain" | "main" | "bad" | "quiet";
  pressed?: boolean | undefined;
  disabled?: boolean | undefined;
  busy?: boolean | undefined;
  onClick?: (event: MouseEvent) => void;
  type?: "button" | "submit";
  keys?: string;
  children?: ComponentChildren;
  class?: string;
  autofocus?: boolean;
}

export function Button(props: ButtonProps): JSX.Element {
  const { icon, label, bare, kind = "plain", pressed, disabled, busy, keys } = props;
  const tip = keys ? `${label} (${keys})` : label;
  return (
    <button
      type={props.type ?? "button"}
      class={`button ${kind} ${bare ? "bare" : ""} ${props.class ?? ""}`}
      aria-label={bare || props.children ? label : undefined}
      title={bare || keys ? tip : undefined}
      aria-pressed={pressed}
      aria-keyshortcuts={keys?.length === 1 ? keys : undefined}
      aria-busy={busy ? true : undefined}
      disabled={disabled === true || busy === true}
      data-autofocus={props.autofocus ? "" : undefined}
      onClick={props.onClick}
    >
      {icon && <Icon name={icon} />}
      {props.children ?? (bare ? null : <span>{label}</span>)}
    </button>
  );
}

interface FieldProps {
  label: string;
  hint?: string;
  error?: string | null;
  children: (ids: { id: string; "aria-describedby"?: string }) => ComponentChildren;
}

export function Field({ label, hint, error, children }: FieldProps): JSX.Element {
  const id = useId();
  const told = error ?? hint;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(told ? { id, "aria-describedby": `${id}-more` } : { id })}
      {told && (
        <p
          id={`${id}-more`}
          class={error ? "hint bad-text" : "hint"}
          role={error ? "alert" : undefined}
        >
          {told}
        </p>
      )}
    </div>
  );
}

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  wide?: boolean;
  /** Cannot be dismissed by Escape alone. */
  firm?: boolean;
}

/** A modal dialog by the platform: focus stays in it and goes back where it was. */
export function Dialog({ title, onClose, children, wide, firm }: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    if (!element) return;
    const before = document.activeElement;
    if (!element.open) element.showModal();
    const first = element.querySelector<HTMLElement>("[data-autofocus]");
    (first ?? element.querySelector<HTMLElement>("input, select, textarea"))?.focus();
    return () => {
      if (element.open) element.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={wide ? "wide" : ""}
      aria-labelledby={id}
      onClose={() => {
        // Browsers let a second Escape close any dialog.
        if (!dialog.current?.isConnected) return;
        if (firm) dialog.current.showModal();
        else onClose();
      }}
      onCancel={(event) => {
        event.preventDefault();
        if (!firm) onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current && !firm) onClose();
      }}
    >
      <div class="dialog-body">
        <header>
          <h2 id={id}>{title}</h2>
          {!firm && <Button icon="close" label={t.close} bare kind="quiet" onClick={onClose} />}
        </header>
        {children}
      </div>
    </dialog>
  );
}

/** Text that people typed: a text node, kept apart from the direction of what is around it. */
export function Foreign({ text, class: name }: { text: string; class?: string }): JSX.Element {
  return (
    <bdi dir="auto" class={name}>
      {text}
    </bdi>
  );
}

export function Badge({
  text,
  kind = "",
  icon,
  title,
}: {
  text: string;
  kind?: string;
  icon?: IconName;
  title?: string;
}): JSX.Element {
  return (
    <span class={`badge ${kind}`} title={title}>
      {icon && <Icon name={icon} size={13} />}
      {text}
    </span>
  );
}

export function Notice({
  text,
  kind = "bad",
  children,
}: {
  text: string;
  kind?: "bad" | "warn" | "info";
  children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class={`notice ${kind}`} role={kind === "info" ? "status" : "alert"}>
      <Icon name="alert" />
      <p>{text}</p>
      {children}
    </div>
  );
}

export function Empty({ title, text }: { title: string; text?: string }): JSX.Element {
  return (
    <div class="empty" role="status">
      <p class="empty-title">{title}</p>
      {text && <p>{text}</p>}
    </div>
  );
}

export function Loading(): JSX.Element {
  return (
    <p class="loading" role="status">
      {t.loading}
    </p>
  );
}

interface Toast {
  id: number;
  text: string;
  bad: boolean;
}

const toasts = new Store<readonly Toast[]>([]);
let lastToast = 0;
const TOAST_MS = 6000;

/** Says something in passing. */
export function say(text: string, bad = false): void {
  const id = ++lastToast;
  toasts.update((all) => [...all.slice(-3), { id, text, bad }]);
  setTimeout(() => toasts.update((all) => all.filter((toast) => toast.id !== id)), TOAST_MS);
}

export function Toasts(): JSX.Element {
  const all = useStore(toasts);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {all.map((toast) => (
        <div key={toast.id} class={toast.bad ? "toast bad" : "toast"}>
          {toast.text}
        </div>
      ))}
    </div>
  );
}

/** A bar of progress; without a total it only shows that something goes on. */
export function Progress({
  done,
  total,
  label,
}: {
  done: number;
  total: number;
  label: string;
}): JSX.Element {
  return total > 0 ? (
    <progress value={done} max={total} aria-label={label} />
  ) : (
    <progress aria-label={label} />
  );
}
