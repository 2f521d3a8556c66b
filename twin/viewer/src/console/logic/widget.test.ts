import { expect, test } from "vitest";
import type { Widget } from "../../shared/types";
import { formOf, NEW_WIDGET, previewQuery, shows, specOf } from "./widget";

test("a form and its widget are two forms of one thing", () => {
  const form = { ...NEW_WIDGET, title: "T", datasource_id: "d", keys: "a, b", points: "50", agg: "max", bucket: "1h" };
  const spec = specOf(form);
  expect(spec).toMatchObject({ key: ["a", "b"], points: 50, range: "24h", bucket: "1h", fill: null, secondary_key: null });
  expect(formOf({ ...spec, id: "w" } as unknown as Widget)).toEqual(form);
});

test("a type's fields are the only ones sent", () => {
  const form = { ...NEW_WIDGET, type: "double" as const, datasource_id: "d", keys: "a", secondary: "b", points: "50" };
  expect(specOf(form)).toMatchObject({ primary_key: "a", secondary_key: "b", key: null, points: null, range: null });
  expect(specOf({ ...form, type: "single" })).toMatchObject({ key: "a", secondary_key: null });
});

test("a number that is none is left to the server to refuse", () => {
  expect(specOf({ ...NEW_WIDGET, points: "many" })["points"]).toBe("many");
});

test("a preview needs a datasource and keys", () => {
  expect(previewQuery(NEW_WIDGET)).toBeNull();
  expect(previewQuery({ ...NEW_WIDGET, datasource_id: "d", keys: "a", type: "double" })).toBeNull();
  expect(previewQuery({ ...NEW_WIDGET, datasource_id: "d", keys: "a,b" })).toEqual({
    datasource_id: "d",
    key: ["a", "b"],
    range: "24h",
  });
});

test("in words", () => {
  const widget = { type: "line", agg: "avg", key: "rpm", device: "m1", range: "24h" } as unknown as Widget;
  expect(shows(widget)).toBe("avg of rpm, of m1, 24h");
});
