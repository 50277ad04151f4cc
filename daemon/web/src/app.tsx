// The frame around all views: where one is, who one is, and what is wrong.

import type { FunctionComponent, JSX } from "preact";
import { lazy, Suspense } from "preact/compat";
import { useEffect, useState } from "preact/hooks";
import { backoff, onExpired, online, refreshSession, session } from "./api";
import { stopListening } from "./audio/listen";
import { forgetJobs } from "./exports";
import { followLines, lines } from "./lines";
import { go, place, type Place } from "./router";
import { forgetSearch } from "./search";
import { followOtherTab, signOut, watchTabs } from "./session";
import { useStore } from "./store";
import { t } from "./texts";
import { nextTheme, theme } from "./theme";
import { Help } from "./ui/help";
import { Icon, Mark, type IconName } from "./ui/icons";
import { useKeys } from "./ui/keys";
import { closeOnEscape, closeOnLeave } from "./ui/menu";
import { Button, Empty, Foreign, Loading, Notice, say, Toasts } from "./ui/parts";
import { Calls } from "./views/calls";
import { ListenDock } from "./views/dock";
import { SignIn, SignInAgain } from "./views/signin";
import { Wall } from "./views/wall";
import type { Can, Session } from "./types";

/** A part that is loaded when it is first shown; an older page's is gone after an update. */
function later<P>(load: () => Promise<FunctionComponent<P>>): FunctionComponent<P> {
  return lazy(() => load().catch((): FunctionComponent<P> => NotLoaded));
}

function NotLoaded(): JSX.Element {
  return (
    <div class="page">
      <Notice text={t.net.notLoaded}>
        <Button label={t.net.reload} onClick={() => location.reload()} />
      </Notice>
    </div>
  );
}

const Exports = later(() => import("./views/exports").then((made) => made.Exports));
const Audit = later(() => import("./views/audit").then((made) => made.Audit));
const Admin = later(() => import("./views/admin").then((made) => made.Admin));
const Health = later(() => import("./views/health").then((made) => made.HealthView));

interface Tab {
  hash: string;
  views: readonly Place["view"][];
  label: string;
  icon: IconName;
  key: string;
  needs?: keyof Can;
}

const TABS: readonly Tab[] = [
  { hash: "#/calls", views: ["calls", "recording"], label: t.nav.calls, icon: "calls", key: "c" },
  { hash: "#/lines", views: ["lines"], label: t.nav.lines, icon: "lines", key: "l" },
  {
    hash: "#/exports",
    views: ["exports"],
    label: t.nav.exports,
    icon: "export",
    key: "e",
    needs: "export",
  },
  {
    hash: "#/audit",
    views: ["audit"],
    label: t.nav.audit,
    icon: "audit",
    key: "u",
    needs: "audit",
  },
  {
    hash: "#/admin/users",
    views: ["admin"],
    label: t.nav.admin,
    icon: "admin",
    key: "a",
    needs: "admin",
  },
  {
    hash: "#/health",
    views: ["health"],
    label: t.nav.health,
    icon: "health",
    key: "h",
    needs: "health",
  },
];

export function App(): JSX.Element {
  const who = useStore(session);
  const [trouble, setTrouble] = useState(false);
  useEffect(() => {
    if (who !== undefined) return;
    let [tries, timer] = [0, 0];
    const look = (): void => {
      refreshSession().then(
        () => setTrouble(false),
        () => {
          setTrouble(true);
          timer = window.setTimeout(look, backoff(tries++));
        },
      );
    };
    look();
    return () => clearTimeout(timer);
  }, [who]);
  if (who === undefined) {
    return (
      <main class="centre">
        {trouble ? <Notice text={t.net.unreachable} kind="warn" /> : <Loading />}
      </main>
    );
  }
  return who ? <Frame who={who} key={who.user.name} /> : <SignIn />;
}

function Frame({ who }: { who: Session }): JSX.Element {
  const where = useStore(place);
  const [help, setHelp] = useState(false);
  const [again, setAgain] = useState<((done: boolean) => void) | null>(null);
  const tabs = TABS.filter((tab) => !tab.needs || who.can[tab.needs]);
  const tab = tabs.find((candidate) => candidate.views.includes(where.view));

  useEffect(followLines, []);
  useEffect(() => forget, []);
  useEffect(() => {
    onExpired(() => new Promise((resolve) => setAgain(() => resolve)));
    watchTabs(() => {
      void followOtherTab().then((what) => {
        if (what === "other") say(t.session.otherUser(session.value?.user.name ?? ""));
        if (what === "out") session.set(null);
      });
    });
    return () => onExpired(() => Promise.resolve(false));
  }, []);
  useEffect(() => {
    document.title = tab ? t.title(tab.label) : t.product;
  }, [tab]);
  useKeys({
    "?": () => setHelp(true),
    ...Object.fromEntries(tabs.map((one) => [`g ${one.key}`, () => go(one.hash)])),
  });

  return (
    <div class="frame">
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        {t.nav.skip}
      </a>
      <Header who={who} onHelp={() => setHelp(true)} />
      <nav class="tabs" aria-label={t.nav.label}>
        {tabs.map((one) => (
          <a key={one.hash} href={one.hash} aria-current={one === tab ? "page" : undefined}>
            <Icon name={one.icon} />
            <span>{one.label}</span>
          </a>
        ))}
      </nav>
      <Banner />
      <main id="main" tabIndex={0} aria-label={tab?.label ?? t.product}>
        <Suspense fallback={<Loading />}>
          <View where={where} can={who.can} />
        </Suspense>
      </main>
      <ListenDock />
      <Toasts />
      {help && <Help onClose={() => setHelp(false)} />}
      {again && (
        <SignInAgain
          name={who.user.name}
          onDone={(done) => {
            setAgain(null);
            again(done);
            if (!done) session.set(null);
          }}
        />
      )}
    </div>
  );
}

/** Nothing of one person is left for the next who signs in at this tab. */
function forget(): void {
  stopListening();
  forgetSearch();
  forgetJobs();
  lines.set(null);
}

function View({ where, can }: { where: Place; can: Can }): JSX.Element {
  const refused = <Empty title={t.forbidden.title} text={t.forbidden.text} />;
  switch (where.view) {
    case "calls":
    case "recording":
      return <Calls where={where} can={can} />;
    case "lines":
      return <Wall can={can} />;
    case "exports":
      return can.export ? <Exports /> : refused;
    case "audit":
      return can.audit ? <Audit query={where.query} /> : refused;
    case "admin":
      return can.admin ? <Admin part={where.part} /> : refused;
    case "health":
      return can.health ? <Health /> : refused;
    case "unknown":
      return <Empty title={t.unknown.title} text={t.unknown.text} />;
  }
}

const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" } as const;

function Header({ who, onHelp }: { who: Session; onHelp: () => void }): JSX.Element {
  const chosen = useStore(theme);
  return (
    <header class="top">
      <a class="brand" href="#/calls">
        <Mark />
        <span>{t.product}</span>
      </a>
      <div class="who">
        <Button
          icon={THEME_ICONS[chosen]}
          label={t.theme[chosen]}
          bare
          kind="quiet"
          onClick={nextTheme}
        />
        <Button icon="help" label={t.help.title} bare kind="quiet" keys="?" onClick={onHelp} />
        <details class="menu" onKeyDown={closeOnEscape} onFocusOut={closeOnLeave}>
          <summary aria-label={t.session.menu(who.user.name)}>
            <Icon name="user" />
            <Foreign text={who.user.name} class="who-name" />
          </summary>
          <div class="menu-body end">
            <p class="menu-head">
              <Foreign text={who.user.name} />
              <span>{t.roles[who.user.role]}</span>
              <Foreign text={who.user.tenant} />
            </p>
            <a href="/docs">{t.nav.documents}</a>
            <button type="button" onClick={() => void signOut()}>
              <Icon name="leave" />
              {t.session.signOut}
            </button>
          </div>
        </details>
      </div>
    </header>
  );
}

/** Says that the server is not there, and looks for it. */
function Banner(): JSX.Element | null {
  const there = useStore(online);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    if (there) {
      setTries(0);
      return;
    }
    const look = (): void => {
      refreshSession().then(
        () => say(t.net.back),
        () => setTries((count) => count + 1),
      );
    };
    const timer = setTimeout(look, backoff(tries));
    addEventListener("online", look);
    return () => {
      clearTimeout(timer);
      removeEventListener("online", look);
    };
  }, [there, tries]);
  if (there) return null;
  return (
    <div class="banner" role="alert">
      <Icon name="alert" />
      <span>{t.net.lost}</span>
    </div>
  );
}
