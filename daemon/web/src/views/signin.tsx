// Signing in, and signing in again in the middle of something.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Refused, words } from "../api";
import { signIn, signOut } from "../session";
import { t } from "../texts";
import { Mark } from "../ui/icons";
import { Button, Dialog, Field, Notice } from "../ui/parts";

function refusalText(error: unknown): string {
  if (!(error instanceof Refused)) return words(error);
  if (error.status === 401) return t.session.wrong;
  if (error.status === 429) {
    const wait = Number(error.more["retry_after"]);
    return wait > 0 ? t.session.lockedFor(wait) : t.session.locked;
  }
  return words(error);
}

function useSignIn(done: () => void): {
  busy: boolean;
  error: string | null;
  go: (name: string, password: string) => void;
} {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const go = (name: string, password: string): void => {
    setBusy(true);
    signIn(name, password).then(done, (failed: unknown) => {
      setError(refusalText(failed));
      setBusy(false);
    });
  };
  return { busy, error, go };
}

export function SignIn(): JSX.Element {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const { busy, error, go } = useSignIn(() => undefined);
  return (
    <main class="sign-in">
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          go(name.trim(), password);
        }}
      >
        <h1>
          <Mark size={30} />
          {t.product}
        </h1>
        <p class="quiet">{t.session.welcome}</p>
        <Field label={t.session.name}>
          {(ids) => (
            <input
              {...ids}
              name="username"
              autocomplete="username"
              autocapitalize="none"
              spellcheck={false}
              required
              autofocus
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label={t.session.password}>
          {(ids) => (
            <input
              {...ids}
              name="password"
              type="password"
              autocomplete="current-password"
              required
              value={password}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
          )}
        </Field>
        {error && <Notice text={error} />}
        <Button type="submit" kind="main" label={t.session.signIn} busy={busy} class="full" />
      </form>
    </main>
  );
}

/** Asks for the password and changes nothing else: what was open stays, what played goes on. */
export function SignInAgain({
  name,
  onDone,
}: {
  name: string;
  onDone: (done: boolean) => void;
}): JSX.Element {
  const [password, setPassword] = useState("");
  const { busy, error, go } = useSignIn(() => onDone(true));
  return (
    <Dialog title={t.session.expired} firm onClose={() => undefined}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          go(name, password);
        }}
      >
        <p>{t.session.expiredText(name)}</p>
        <input type="hidden" name="username" autocomplete="username" value={name} />
        <Field label={t.session.password}>
          {(ids) => (
            <input
              {...ids}
              data-autofocus
              type="password"
              autocomplete="current-password"
              required
              value={password}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
          )}
        </Field>
        {error && <Notice text={error} />}
        <div class="actions">
          <Button
            label={t.session.giveUp}
            kind="quiet"
            onClick={() => {
              void signOut().catch(() => undefined);
              onDone(false);
            }}
          />
          <Button type="submit" kind="main" label={t.session.goOn} busy={busy} />
        </div>
      </form>
    </Dialog>
  );
}
