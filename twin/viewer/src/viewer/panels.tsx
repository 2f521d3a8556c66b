// The bar at the top, the alert list, and notices of what is not as it should be.
import type { JSX } from "preact";
import { switchTheme, theme } from "../shared/theme";
import { age, clock, moment } from "../shared/time";
import type { BoundAlert } from "./alerts";
import { AlertMark } from "./cards";
import type { ViewerState } from "./state";

const LINKS = {
  connecting: ["", "Connecting …"],
  live: ["ok", "Live"],
  polling: ["warning", "Polling"],
  offline: ["critical", "Offline"],
  ended: ["critical", "Ended"],
} as const;

export function LinkBadge({ state }: { state: ViewerState }): JSX.Element {
  const travel = state.travel.value;
  const [tone, text] = travel.at === null ? LINKS[state.link.value] : (["info", "Past"] as const);
  return (
    <span class={`badge link ${tone}`} role="status" data-link={state.link.value}>
      <i aria-hidden="true" />
      {text}
    </span>
  );
}

interface Icon {
  label: string;
  path: string;
  onClick: () => void;
  pressed?: boolean;
  disabled?: boolean;
}

export function IconButton({ label, path, onClick, pressed, disabled = false }: Icon): JSX.Element {
  return (
    <button class="button icon quiet" type="button" title={label} aria-label={label} onClick={onClick} disabled={disabled} {...(pressed === undefined ? {} : { "aria-pressed": pressed })}>
      <svg viewBox="0 0 20 20" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
        <path d={path} />
      </svg>
    </button>
  );
}

export const ICONS = {
  home: "M3 9.5 10 4l7 5.5M5 8.5V16h10V8.5",
  board: "M3 4h6v5H3zM11 4h6v8h-6zM3 11h6v5H3zM11 14h6v2h-6z",
  cube: "M10 2.5 16.5 6v8L10 17.5 3.5 14V6zM10 10l6.5-4M10 10 3.5 6M10 10v7.5",
  full: "M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4",
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1 1M14.7 14.7l1 1M4.3 15.7l1-1M14.7 5.3l1-1",
  moon: "M16.5 12.5A7 7 0 0 1 7.5 3.5a7 7 0 1 0 9 9z",
  bell: "M5 14V9a5 5 0 0 1 10 0v5l1.5 1.5h-13zM8.5 17.5h3",
  camera: "M3 6.5h3L7.5 4.5h5L14 6.5h3V16H3zM10 8.3a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 0 0 0-5.4",
  edit: "M4 16l.8-3.4L13.5 4l2.6 2.6-8.7 8.6zM11.7 5.8l2.6 2.6",
} as const;

export function ThemeButton(): JSX.Element {
  const dark = theme.value === "dark";
  return <IconButton label={dark ? "Light colours" : "Dark colours"} path={dark ? ICONS.sun : ICONS.moon} onClick={switchTheme} />;
}

export function fullScreen(): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void document.documentElement.requestFullscreen?.().catch(() => {});
}

export function AlertList({ state, onGo }: { state: ViewerState; onGo: (entry: BoundAlert) => void }): JSX.Element {
  const alerts = state.alerts.value;
  const now = state.shownNow.value;
  return (
    <aside class="alerts panel" aria-label="Alerts">
      <header>
        <h2>Alerts</h2>
        <span class="badge">{alerts.length}</span>
      </header>
      {alerts.length === 0 ? (
        <p class="none">All quiet{state.isLive.value ? "." : " at this time."}</p>
      ) : (
        <ol>
          {alerts.map((entry) => (
            <li key={`${entry.bound.id} ${entry.alert.name}`}>
              <button type="button" onClick={() => onGo(entry)} class={entry.alert.severity}>
                <AlertMark alert={entry.alert} />
                <span>
                  <b>{entry.alert.name}</b>
                  <small>
                    {entry.bound.node.name ?? entry.bound.node.id} · {entry.title}
                  </small>
                </span>
                <time class="numbers" dateTime={entry.alert.since} title={moment(Date.parse(entry.alert.since))}>
                  {age(Date.parse(entry.alert.since), now)}
                </time>
              </button>
            </li>
          ))}
        </ol>
      )}
    </aside>
  );
}

/** What a reader must know before he believes what he sees. */
export function Notices({ state, missingParts }: { state: ViewerState; missingParts: string[] }): JSX.Element | null {
  const scene = state.scene.value;
  const notes: { tone: string; text: string; more?: string[] }[] = [];
  const reason = state.linkReason.value;
  if (state.isLive.value && state.link.value === "offline") {
    notes.push({ tone: "critical", text: `No connection: the values are the last known ones. ${reason?.message ?? ""} Trying again …` });
  }
  if (state.isLive.value && state.link.value === "polling") {
    notes.push({ tone: "warning", text: "The live stream is away: asking every few seconds instead." });
  }
  const past = state.travelError.value;
  if (past) notes.push({ tone: "critical", text: `${clock(state.travel.value.at ?? Date.now())} could not be shown: ${past}` });
  const missing = scene.missing.asset_ids.length + scene.missing.widget_ids.length;
  const broken = [...state.broken.value].map(([id, why]) => `${scene.nodes.find((node) => node.id === id)?.name ?? id}: ${why}`);
  const more = [
    ...broken,
    ...scene.missing.widget_ids.map((id) => `Widget ${id} was deleted.`),
    ...missingParts,
  ];
  if (missing > 0 || more.length > 0) {
    notes.push({ tone: "warning", text: `${more.length} ${more.length === 1 ? "part of this scene is" : "parts of this scene are"} missing`, more });
  }
  if (notes.length === 0) return null;
  return (
    <div class="notices" role="alert">
      {notes.map((note) => (
        <div key={note.text} class={`notice ${note.tone}`}>
          {note.more ? (
            <details>
              <summary>{note.text}</summary>
              <ul>
                {note.more.map((line) => (
                  <li key={line}>{line}</li>
                ))}
              </ul>
            </details>
          ) : (
            note.text
          )}
        </div>
      ))}
    </div>
  );
}
