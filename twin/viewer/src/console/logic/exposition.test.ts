import { expect, test } from "vitest";
import { perSecond, quantile, readMetrics, total } from "./exposition";

const TEXT = `# HELP twinfeed_ingest_readings_total Readings by outcome
# TYPE twinfeed_ingest_readings_total counter
twinfeed_ingest_readings_total{outcome="accepted"} 1500.0
twinfeed_ingest_readings_total{outcome="rejected"} 3.0
twinfeed_stream_subscribers 2.0
odd{path="a\\"b",x="1"} 1e3
h_bucket{le="0.1"} 50
h_bucket{le="1.0"} 99
h_bucket{le="+Inf"} 100
`;

test("reads samples with and without labels", () => {
  const metrics = readMetrics(TEXT);
  expect(total(metrics, "twinfeed_ingest_readings_total", { outcome: "accepted" })).toBe(1500);
  expect(total(metrics, "twinfeed_ingest_readings_total")).toBe(1503);
  expect(total(metrics, "twinfeed_stream_subscribers")).toBe(2);
  expect(total(metrics, "odd", { x: "1" })).toBe(1000);
  expect(total(metrics, "absent")).toBe(0);
});

test("rates need two looks at one server", () => {
  expect(perSecond(null, 10, 1000)).toBeNull();
  expect(perSecond(10, 30, 2000)).toBe(10);
  expect(perSecond(30, 10, 2000)).toBeNull();
});

test("a quantile is the bound of its bucket", () => {
  const metrics = readMetrics(TEXT);
  expect([quantile(metrics, "h", 0.5), quantile(metrics, "h", 0.95), quantile(metrics, "h", 1)]).toEqual([0.1, 1, Infinity]);
  expect(quantile(metrics, "none", 0.5)).toBeNull();
});
