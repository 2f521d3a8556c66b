// A widget's data as a card, whatever the space it stands in.
import type { ComponentChildren, JSX } from "preact";
import { change, number, value } from "../shared/format";
import { age, moment } from "../shared/time";
import type { BarData, Display, DoubleData, LineData, ShownAlert, SingleData, WidgetAnswer, WidgetData } from "../shared/types";
import { isError } from "../shared/types";
import { alertOf } from "./alerts";
import { Spark } from "./spark";
import type { Bound, ViewerState } from "./state";
import { colorOf, fraction, freshness, gaugeEnds, newest, newestTime, numeric, unitOf } from "./values";

export const MARKS = { info: "i", warning: "!", critical: "‼" } as const;

/** The sign of an alert: its own icon when that is a sign, else its severity's. */
export function AlertMark({ alert }: { alert: ShownAlert }): JSX.Element {
  const icon = alert.icon && [...alert.icon].length <= 2 ? alert.icon : MARKS[alert.severity];
  return (
    <span class={`mark ${alert.severity}`} role="img" aria-label={`${alert.severity}: ${alert.name}`} data-icon={alert.icon ?? ""}>
      {icon}
    </span>
  );
}

export function Card({ bound, state, wide }: { bound: Bound; state: ViewerState; wide?: boolean }): JSX.Element {
  const answer = state.answer(bound.binding.widget_id).value;
  const alert = alertOf(answer);
  const fresh = freshness(answer);
  const offline = state.isLive.value && (state.link.value === "offline" || state.link.value === "ended");
  const title = answer && !isError(answer) ? answer.title : (bound.node.name ?? bound.node.id);
  const border = alert?.widget_color;
  return (
    <article
      class={`card ${fresh} ${alert?.severity ?? ""} ${offline ? "offline" : ""} ${wide ? "wide" : ""}`}
      style={border ? { borderColor: border, "--alarm": border } : {}}
      aria-label={title}
      data-widget={bound.binding.widget_id}
    >
      <header>
        {alert && <AlertMark alert={alert} />}
        <h3 title={title}>{title}</h3>
        <Age answer={answer} state={state} />
      </header>
      <Content answer={answer} display={bound.binding.display} wide={wide === true} />
      <Footer answer={answer} alert={alert} />
    </article>
  );
}

function Age({ answer, state }: { answer: WidgetAnswer | undefined; state: ViewerState }): JSX.Element | null {
  const at = answer && !isError(answer) ? newestTime(answer) : null;
  if (!at) return null;
  return <time class="numbers" dateTime={at} title={moment(Date.parse(at))}>{age(Date.parse(at), state.shownNow.value)}</time>;
}

function Footer({ answer, alert }: { answer: WidgetAnswer | undefined; alert: ShownAlert | null }): JSX.Element | null {
  if (!answer || isError(answer)) return null;
  const stale = answer.type === "single" && answer.stale;
  if (!alert && !stale) return null;
  return <footer>{alert ? <span class="alarm-name">{alert.name}</span> : <span class="stale-word">stale</span>}</footer>;
}

function Content({ answer, display, wide }: { answer: WidgetAnswer | undefined; display: Display; wide: boolean }): JSX.Element {
  if (answer === undefined) return <p class="none">waiting for data …</p>;
  if (isError(answer)) return <p class="problem">{answer.status === 404 ? "This widget does not exist any more." : answer.message}</p>;
  if (display.kind === "gauge") return <Gauge data={answer} display={display} />;
  if (display.kind === "label") return <Big data={answer} />;
  switch (answer.type) {
    case "single":
      return <Single data={answer} />;
    case "double":
      return <Double data={answer} />;
    case "line":
      return <Line data={answer} wide={wide} chart={display.kind === "chart"} />;
    case "bar":
      return <Bars data={answer} />;
  }
}

function Big({ data, children }: { data: WidgetData; children?: ComponentChildren }): JSX.Element {
  return (
    <p class="big numbers">
      <b>{value(newest(data))}</b> <span class="unit">{unitOf(data)}</span>
      {children}
    </p>
  );
}

function Single({ data }: { data: SingleData }): JSX.Element {
  const { delta } = data;
  return (
    <Big data={data}>
      {delta !== null && delta !== 0 && (
        <span class="delta">
          <span aria-hidden="true">{delta > 0 ? "▲" : "▼"}</span> {change(delta)}
        </span>
      )}
    </Big>
  );
}

function Double({ data }: { data: DoubleData }): JSX.Element {
  return (
    <dl class="double numbers">
      {[data.primary, data.secondary].map((part, index) => (
        <div key={index}>
          <dt>
            {part.key} <span class="unit">{part.unit ?? ""}</span>
          </dt>
          <dd>
            <b>{value(part.value)}</b>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Line({ data, wide, chart }: { data: LineData; wide: boolean; chart: boolean }): JSX.Element {
  const empty = data.labels.length === 0;
  return (
    <>
      <Big data={data} />
      {empty ? <p class="none">no data in this window</p> : <Spark data={data} wide={wide} axes={chart || wide} />}
    </>
  );
}

const MOST_BARS = 24;

function Bars({ data }: { data: BarData }): JSX.Element {
  const values = (data.series?.[0]?.values ?? data.values).slice(-MOST_BARS).map(numeric);
  const labels = data.labels.slice(-MOST_BARS);
  const high = Math.max(0, ...values.map((one) => one ?? 0));
  const low = Math.min(0, ...values.map((one) => one ?? 0));
  const span = high - low || 1;
  if (values.length === 0) return <p class="none">no data in this window</p>;
  return (
    <>
      <Big data={data} />
      <svg class="bars" viewBox={`0 0 ${values.length * 10} 40`} preserveAspectRatio="none" role="img" aria-label={`${values.length} bars, the highest ${number(high)}`}>
        {values.map((one, index) => (
          <rect
            key={labels[index]}
            x={index * 10 + 1.5}
            width={7}
            y={40 * ((high - Math.max(one ?? 0, 0)) / span)}
            height={Math.max((40 * Math.abs(one ?? 0)) / span, one === null ? 0 : 0.8)}
            class={index === values.length - 1 ? "last" : ""}
          >
            <title>{`${labels[index]}: ${value(one)} ${data.unit ?? ""}`}</title>
          </rect>
        ))}
      </svg>
    </>
  );
}

const SWEEP = Math.PI; // a half circle
const R = 42;

function arc(from: number, to: number): string {
  const at = (part: number): string => {
    const angle = Math.PI + part * SWEEP;
    return `${(50 + R * Math.cos(angle)).toFixed(2)} ${(48 + R * Math.sin(angle)).toFixed(2)}`;
  };
  return `M ${at(from)} A ${R} ${R} 0 0 1 ${at(to)}`;
}

function Gauge({ data, display }: { data: WidgetData; display: Display }): JSX.Element {
  const shown = numeric(newest(data));
  const ends = gaugeEnds(display, shown);
  const part = shown === null ? 0 : fraction(shown, ends);
  const color = colorOf(shown, display.ranges);
  return (
    <div class="gauge">
      <svg viewBox="0 0 100 62" role="img" aria-label={`${value(shown)} ${unitOf(data)} between ${number(ends[0])} and ${number(ends[1])}`}>
        <path class="track" d={arc(0, 1)} />
        {(display.ranges ?? []).map((range, index) => {
          const low = fraction(range.from ?? ends[0], ends);
          const high = fraction(range.to ?? ends[1], ends);
          return high > low ? <path key={index} class="zone" d={arc(low, high)} stroke={range.color} /> : null;
        })}
        {part > 0.004 && <path class="level" d={arc(0, part)} {...(color ? { stroke: color } : {})} />}
        <text x="50" y="47" class="gauge-value">{value(newest(data))}</text>
        <text x="50" y="59" class="gauge-unit">{unitOf(data)}</text>
        <text x="8" y="59" class="gauge-end">{number(ends[0])}</text>
        <text x="92" y="59" class="gauge-end">{number(ends[1])}</text>
      </svg>
    </div>
  );
}

/** The small form of a card: its value alone. */
export function Pill({ bound, state }: { bound: Bound; state: ViewerState }): JSX.Element {
  const answer = state.answer(bound.binding.widget_id).value;
  const alert = alertOf(answer);
  const text = answer === undefined ? "…" : isError(answer) ? "error" : `${value(newest(answer))} ${unitOf(answer)}`;
  return (
    <span class={`pill numbers ${alert?.severity ?? ""} ${freshness(answer)}`} style={alert?.widget_color ? { borderColor: alert.widget_color } : {}}>
      {alert && <AlertMark alert={alert} />}
      {text}
    </span>
  );
}

