import { expect, test } from "vitest";
import { bodyOf, formOf, inWords, NEW_RULE, type Rule, thresholdOf } from "./rule";

test.each([
  ["80", 80],
  ["7,5", 7.5],
  ["true", true],
  ["RUNNING", "RUNNING"],
  [" ", null],
  ['"80"', "80"],
])("the threshold %s", (typed, value) => {
  expect(thresholdOf(typed)).toBe(value);
});

const RULE = {
  ...NEW_RULE,
  name: "Hot",
  datasource_id: "d",
  key: "t",
  threshold: "80",
  clear: "75",
  for_seconds: "30",
  steps: [{ severity: "critical", threshold: "95", clear: "" }],
};

test("a form and its rule are two forms of one thing", () => {
  const body = bodyOf(RULE);
  expect(body).toMatchObject({ key: "t", condition: "greater_than", threshold: 80, clear_threshold: 75, for_seconds: 30 });
  expect(body["escalation"]).toEqual([{ severity: "critical", threshold: 95, clear_threshold: null }]);
  expect(formOf(body as unknown as Rule)).toEqual(RULE);
});

test("what does not belong to the condition is not sent", () => {
  const band = bodyOf({ ...RULE, condition: "between", high: "90" });
  expect(band).toMatchObject({ threshold_high: 90, clear_threshold: null, escalation: [] });
  const parts = [
    { key: "a", condition: "greater_than", threshold: "1", high: "", clear: "" },
    { key: "b", condition: "equal_to", threshold: "RUN", high: "", clear: "" },
  ];
  const joined = bodyOf({ ...RULE, join: "any", parts });
  expect(joined).toMatchObject({ key: "a", condition: null, threshold: null, all: null, escalation: [] });
  expect(joined["any"]).toHaveLength(2);
  expect(formOf(joined as unknown as Rule).parts).toEqual(parts);
});

test("a text that looks like a number stays a text", () => {
  const body = bodyOf({ ...RULE, condition: "equal_to", threshold: '"80"', clear: "", steps: [] });
  expect(body["threshold"]).toBe("80");
  expect(formOf(body as unknown as Rule).threshold).toBe('"80"');
});

test("a schedule", () => {
  const body = bodyOf({ ...RULE, hasSchedule: true, timezone: "Europe/Berlin", days: ["mon"] });
  expect(body["schedule"]).toEqual({ timezone: "Europe/Berlin", days: ["mon"], from: "06:00", to: "22:00" });
});

test("in words", () => {
  const rule = (fields: object) => inWords({ ...bodyOf(RULE), ...fields } as unknown as Rule);
  expect(rule({})).toBe("t > 80 for 30 s");
  expect(rule({ condition: "no_data", threshold: 60, for_seconds: 0, device: "m1" })).toBe("no t for 60 s of m1");
  expect(rule({ condition: "outside", threshold: 1, threshold_high: 2, for_seconds: 0 })).toBe("t outside 1 and 2");
  const all = [
    { key: "a", condition: "less_or_equal", threshold: 1 },
    { key: "b", condition: "equal_to", threshold: "x" },
  ];
  expect(rule({ all, for_seconds: 0 })).toBe("a ≤ 1 and b = x");
});
