// The bar at the bottom: which moment is shown, and playing it back.
import type { JSX } from "preact";
import { clock, moment, tick } from "../shared/time";
import type { ViewerState } from "./state";
import { momentAt, position, SPANS, SPEEDS } from "./travel";

const STEPS = 1000;
const MARKS = 5;

export function Scrubber({ state }: { state: ViewerState }): JSX.Element {
  const travel = state.travel.value;
  const now = state.now.value;
  const live = travel.at === null;
  const shown = live ? now : travel.at!;
  const play = (): void => {
    if (live) state.goTo(now - Math.min(travel.spanMs, 3_600_000) / 4);
    state.setTravel({ playing: live || !travel.playing });
  };
  return (
    <section class={`scrubber ${live ? "live" : "past"}`} aria-label="Time travel">
      <button class="button icon quiet" type="button" onClick={play} aria-label={travel.playing ? "Pause" : "Play"} title={travel.playing ? "Pause" : "Play back"}>
        <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
          {travel.playing ? <path d="M4 3h3v10H4zM9 3h3v10H9z" fill="currentColor" /> : <path d="M4 2.5v11l9-5.5z" fill="currentColor" />}
        </svg>
      </button>
      <div class="track">
        <input
          type="range"
          min={0}
          max={STEPS}
          value={Math.round(position(travel, now) * STEPS)}
          aria-label="Shown time"
          aria-valuetext={live ? "live" : moment(shown)}
          onInput={(event) => state.goTo(momentAt(Number(event.currentTarget.value) / STEPS, travel.spanMs, Date.now()))}
        />
        <div class="ticks numbers" aria-hidden="true">
          {Array.from({ length: MARKS }, (_, i) => (
            <span key={i}>{i === MARKS - 1 ? "now" : tick(now - travel.spanMs * (1 - i / (MARKS - 1)), travel.spanMs)}</span>
          ))}
        </div>
      </div>
      <output class="shown-time numbers" title={moment(shown)}>
        {live ? clock(now) : <>{travel.spanMs > 86_400_000 || new Date(shown).getDate() !== new Date(now).getDate() ? moment(shown).slice(5) : clock(shown)}</>}
      </output>
      <label>
        <span class="visually-hidden">Span</span>
        <select value={travel.spanMs} onChange={(event) => state.setTravel({ spanMs: Number(event.currentTarget.value) })}>
          {SPANS.map((span) => (
            <option key={span.ms} value={span.ms}>{span.label}</option>
          ))}
        </select>
      </label>
      <label class="speed">
        <span class="visually-hidden">Speed</span>
        <select value={travel.speed} onChange={(event) => state.setTravel({ speed: Number(event.currentTarget.value) })}>
          {SPEEDS.map((speed) => (
            <option key={speed} value={speed}>{speed}×</option>
          ))}
        </select>
      </label>
      <button class="button live-button" type="button" aria-pressed={live} onClick={() => state.goLive()}>
        <i aria-hidden="true" /> Live
      </button>
    </section>
  );
}
