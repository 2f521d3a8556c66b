import { expect, test } from "vitest";
import { alarmsOf, deliveryPause, LATER_MS, NO_FILTER, queryOf, SOON_MS } from "./lists";
import type { Rule } from "./rule";
import { capital, counted } from "./words";

const rule = (name: string, severity: string, ...states: [state: string, since: string, severity: string | null][]) =>
  ({ name, severity, states: states.map(([state, since, of]) => ({ device: name, state, since, severity: of })) }) as unknown as Rule;

test("firing before pending, severe before mild, old before new", () => {
  const rules = [
    rule("pending", "critical", ["pending", "1", null]),
    rule("mild", "info", ["firing", "1", "info"]),
    rule("new", "critical", ["firing", "3", "critical"]),
    rule("grown", "warning", ["firing", "2", "critical"]),
    rule("well", "critical"),
  ];
  expect(alarmsOf(rules).map((one) => one.rule.name)).toEqual(["grown", "new", "mild", "pending"]);
});

test("only filters that are set are asked for, in UTC", () => {
  expect(queryOf(NO_FILTER)).toEqual({});
  const at = "2026-11-20T12:00";
  expect(queryOf({ ...NO_FILTER, device: "m1", from: at })).toEqual({ device: "m1", from: new Date(at).toISOString() });
});

test("looks soon while a call is due", () => {
  const now = Date.UTC(2026, 10, 20);
  const at = (ms: number) => new Date(now + ms).toISOString();
  const one = (state: string, next: number) => ({ state, created_at: at(0), next_attempt_at: at(next) });
  expect(deliveryPause([], now)).toBe(LATER_MS);
  expect(deliveryPause([one("failed", 0), one("pending", 60_000)], now)).toBe(LATER_MS);
  expect(deliveryPause([one("pending", 1000)], now)).toBe(SOON_MS);
});

test("words", () => {
  expect([counted(1, "reading"), counted(1200, "reading"), counted(0, "row")]).toEqual(["1 reading", "1,200 readings", "0 rows"]);
  expect(capital("ingest key")).toBe("Ingest key");
});
