// The console's frame: who is signed in, where to go, and the page that the address names.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { ApiError } from "../shared/api";
import icon from "../icon.svg";
import { switchTheme, theme } from "../shared/theme";
import { Badge, Fault, Head, Loading } from "./kit/basics";
import { asFault } from "./kit/load";
import { Alerts } from "./pages/alerts";
import { Datasources } from "./pages/datasources";
import { Keys } from "./pages/keys";
import { Overview } from "./pages/overview";
import { Scenes } from "./pages/scenes";
import { SignIn } from "./pages/sign-in";
import { Webhooks } from "./pages/webhooks";
import { Widgets } from "./pages/widgets";
import { route, to } from "./router";
import { findSession, session, signOut } from "./session";

const PAGES: [name: string, label: string, page: (props: { rest: string[] }) => ComponentChildren][] = [
  ["", "Overview", Overview],
  ["datasources", "Datasources", Datasources],
  ["widgets", "Widgets", Widgets],
  ["alerts", "Alerts", Alerts],
  ["webhooks", "Webhooks", Webhooks],
  ["scenes", "Scenes", Scenes],
  ["keys", "Keys", Keys],
];

export function App() {
  const [fault, setFault] = useState<ApiError | null>(null);
  useEffect(() => {
    findSession()
      .then(() => {
        if (session.value === undefined) session.value = null;
      })
      .catch((error: unknown) => setFault(asFault(error)));
  }, []);
  if (fault) {
    return (
      <main class="sign-in">
        <Fault fault={fault} />
      </main>
    );
  }
  if (session.value === undefined) return <Loading />;
  return session.value ? <Shell /> : <SignIn />;
}

function Shell() {
  const [name = "", ...rest] = route.value;
  const found = PAGES.find(([page]) => page === name);
  const Page = found?.[2] ?? NotThere;
  useEffect(() => {
    const content = document.getElementById("content");
    if (!content?.contains(document.activeElement)) content?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [name, rest.join("/")]);
  return (
    <div class="shell">
      <a
        class="skip"
        href="#content"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("content")?.focus();
        }}
      >
        Skip to the content
      </a>
      <Side now={name} />
      <main id="content" tabIndex={-1}>
        <Page key={name} rest={rest} />
      </main>
    </div>
  );
}

function NotThere() {
  return <Head title="There is no such page" back={{ href: to(), label: "Overview" }} />;
}

function Side(props: { now: string }) {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setOpen(false), [route.value]);
  const who = session.value;
  return (
    <header class="side">
      <div class="side-top">
        <a class="brand" href={to()}>
          <img src={icon} alt="" width="26" height="26" />
          Twinfeed
        </a>
        <button type="button" class="button menu" aria-expanded={isOpen} aria-controls="menu" onClick={() => setOpen(!isOpen)}>
          Menu
        </button>
      </div>
      <div id="menu" class={`menu-box ${isOpen ? "open" : ""}`}>
        <nav aria-label="Pages">
          <ul>
            {PAGES.map(([page, label]) => (
              <li key={page}>
                <a href={to(page)} aria-current={page === props.now ? "page" : undefined}>
                  {label}
                </a>
              </li>
            ))}
            <li>
              <a href="/docs">API reference</a>
            </li>
          </ul>
        </nav>
        <div class="who">
          <p class="small">
            <span class="block muted">Signed in as</span>
            <strong>{who?.name}</strong> <Badge tone={who?.environment === "test" ? "warning" : "ok"}>{who?.environment}</Badge>
          </p>
          <button type="button" class="button" onClick={switchTheme}>
            {theme.value === "dark" ? "Light" : "Dark"} theme
          </button>
          <button type="button" class="button" onClick={() => void signOut().catch(() => undefined)}>
            Sign out
          </button>
        </div>
      </div>
    </header>
  );
}
