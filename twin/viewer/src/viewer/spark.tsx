// A small line chart, drawn by uPlot.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { number } from "../shared/format";
import { theme } from "../shared/theme";
import { tick } from "../shared/time";
import type { LineData } from "../shared/types";
import { numeric } from "./values";

const COLORS = ["#2f7fe0", "#d9822b", "#2a9d6f", "#a45ee5", "#c2415b", "#5b8c2a"];

export function Spark({ data, wide, axes }: { data: LineData; wide: boolean; axes: boolean }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const window = useRef<[number, number]>([0, 0]);
  window.current = [Date.parse(data.from) / 1000, Date.parse(data.to) / 1000];
  const series = data.series?.slice(0, COLORS.length) ?? [{ key: data.title, device: null, values: data.values }];
  const dark = theme.value === "dark";
  const shape = `${series.length} ${axes} ${dark}`;

  useEffect(() => {
    const element = place.current!;
    const height = wide ? 150 : axes ? 92 : 38;
    const made = new uPlot(
      options(series.map((one) => one.device ?? one.key), axes, dark, element.clientWidth, height, () => window.current),
      rows(data, series),
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, wide]);

  useEffect(() => plot.current?.setData(rows(data, series)), [data]);
  return <div class="spark" ref={place} aria-hidden="true" />;
}

function rows(data: LineData, series: { values: LineData["values"] }[]): uPlot.AlignedData {
  const times = data.labels.map((label) => Date.parse(label) / 1000);
  return [times, ...series.map((one) => one.values.map(numeric))];
}

function options(names: string[], axes: boolean, dark: boolean, width: number, height: number, window: () => [number, number]): uPlot.Options {
  const ink = dark ? "#95a3b3" : "#5f6c7b";
  const grid = { stroke: dark ? "#2c3743" : "#e4e8ed", width: 1 };
  const font = "10px system-ui, sans-serif";
  const axis: uPlot.Axis = { stroke: ink, grid, ticks: { show: false }, font };
  const times: uPlot.Axis["values"] = (plot, splits) => {
    const { min = 0, max = 0 } = plot.scales["x"] ?? {};
    return splits.map((at) => tick(at * 1000, ((max ?? 0) - (min ?? 0)) * 1000));
  };
  return {
    width,
    height,
    scales: { x: { range: window } }, // the widget's, however little of it holds data
    legend: { show: false },
    cursor: { show: false },
    padding: axes ? [6, 4, 0, 0] : [4, 2, 4, 2],
    axes: axes
      ? [
          { ...axis, size: 20, space: 60, values: times },
          { ...axis, size: 34, space: 26, values: (_, splits) => splits.map((at) => number(at)) },
        ]
      : [{ show: false }, { show: false }],
    series: [
      {},
      ...names.map((label, index) => {
        const stroke = COLORS[index]!;
        const fill = names.length === 1 ? `${stroke}22` : "transparent";
        return { label, stroke, fill, width: 1.5, points: { show: (plot: uPlot) => plot.data[0].length === 1, size: 4 } };
      }),
    ],
  };
}
