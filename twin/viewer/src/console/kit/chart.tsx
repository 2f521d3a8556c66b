// A widget's answer as a picture: lines, bars, or values in large type.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { change, number, value as shownValue } from "../../shared/format";
import { theme } from "../../shared/theme";
import { tick } from "../../shared/time";
import type { BarData, DoublePart, LineData, WidgetData } from "../../shared/types";
import { chartOf, type Chart } from "../logic/chart";
import { Badge, When } from "./basics";

/** What a widget shows. */
export function Shown(props: { data: WidgetData }) {
  const { data } = props;
  return (
    <div class="shown">
      {data.alert && (
        <p>
          <Badge tone={data.alert.severity}>{data.alert.name}</Badge>
        </p>
      )}
      {(data.type === "line" || data.type === "bar") && <Plot data={data} />}
      {data.type === "single" && (
        <>
          <Large value={shownValue(data.value)} unit={data.unit} />
          <p class="muted">
            {data.delta !== null && data.delta !== 0 && `${change(data.delta)} since the value before, `}
            <When at={data.ts} none="no value yet" /> {data.stale && <Badge tone="warning">stale</Badge>}
          </p>
        </>
      )}
      {data.type === "double" && (
        <div class="pair">
          <Half part={data.primary} />
          <Half part={data.secondary} />
        </div>
      )}
    </div>
  );
}

function Large(props: { value: string; unit: string | null }) {
  return (
    <p class="big">
      <strong class="numbers">{props.value}</strong>
      {props.unit && <span>{props.unit}</span>}
    </p>
  );
}

function Half(props: { part: DoublePart }) {
  return (
    <div>
      <p class="label">{props.part.key}</p>
      <Large value={shownValue(props.part.value)} unit={props.part.unit} />
      <p class="muted small">
        <When at={props.part.ts} none="no value yet" />
      </p>
    </div>
  );
}

const HEIGHT_PX = 260;
const COLOURS = ["--accent", "--ok", "--warning", "--critical", "--text-2"];

function Plot(props: { data: LineData | BarData }) {
  const box = useRef<HTMLDivElement>(null);
  const look = theme.value;
  const chart = chartOf(props.data);
  useEffect(() => {
    const place = box.current;
    if (!place || chart.columns[0]?.length === 0) return;
    const plot = new uPlot(optionsOf(chart, place), chart.columns as uPlot.AlignedData, place);
    const fit = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT_PX }));
    fit.observe(place);
    return () => {
      fit.disconnect();
      plot.destroy();
    };
  }, [JSON.stringify(chart), look]);
  const points = chart.columns[0]?.length ?? 0;
  if (points === 0) return <p class="muted">No values in this window yet.</p>;
  const newest = chart.columns[1]?.findLast((one) => one !== null && one !== undefined);
  const summary = `${points} points${typeof newest === "number" ? `, the last is ${number(newest)}` : ""}`;
  return <div class="chart" ref={box} role="img" aria-label={`Chart of ${chart.names.join(", ")}: ${summary}`} />;
}

function optionsOf(chart: Chart, place: HTMLElement): uPlot.Options {
  const styles = getComputedStyle(document.documentElement);
  const token = (name: string) => styles.getPropertyValue(name).trim();
  const font = `12px ${token("--font")}`;
  const axis = { stroke: token("--text-2"), font, grid: { stroke: token("--line"), width: 1 }, ticks: { show: false } };
  const times = chart.columns[0] ?? [];
  const spanMs = ((times.at(-1) ?? 0) - (times[0] ?? 0)) * 1000;
  const named = (places: number[]) => places.map((at) => (Number.isInteger(at) ? (chart.labels?.[at] ?? "") : ""));
  return {
    width: place.clientWidth,
    height: HEIGHT_PX,
    cursor: { y: false, drag: { x: false, y: false } },
    legend: { show: chart.names.length > 1 },
    scales: {
      x: chart.labels ? { time: false, range: [-0.6, chart.labels.length - 0.4] } : { time: true },
      y: { range: (_plot, low, high) => (chart.isBars ? barRange(low, high) : uPlot.rangeNum(low, high, 0.1, true)) },
    },
    axes: [
      { ...axis, grid: { show: false }, values: (_plot, places) => (chart.labels ? named(places) : places.map((at) => tick(at * 1000, spanMs))) },
      { ...axis, size: 56, values: (_plot, values) => values.map(number) },
    ],
    series: [
      { label: chart.labels ? "Bar" : "Time", value: (_plot, at) => (at === null ? "–" : chart.labels ? (chart.labels[at] ?? "") : tick(at * 1000, spanMs)) },
      ...chart.names.map((label, index) => {
        const stroke = token(COLOURS[index % COLOURS.length] ?? "--accent");
        const series: uPlot.Series = { label, stroke, width: 2, points: { show: times.length < 3, fill: stroke }, value: (_plot, one) => (one === null ? "–" : number(one)) };
        if (chart.isBars && uPlot.paths.bars) return { ...series, width: 0, fill: stroke, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7, 80] }) };
        return series;
      }),
    ],
  };
}

function barRange(low: number | null, high: number | null): [number, number] {
  const range = uPlot.rangeNum(Math.min(low ?? 0, 0), Math.max(high ?? 0, 0), 0.1, true);
  return [low !== null && low < 0 ? range[0] ?? 0 : 0, range[1] ?? 1];
}
