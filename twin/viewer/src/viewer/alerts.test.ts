import { expect, test } from "vitest";
import type { Severity, SingleData } from "../shared/types";
import { alertList, worst } from "./alerts";
import type { Bound } from "./state";

function data(name: string | null, severity: Severity = "warning", since = "2026-11-20T12:00:00Z"): SingleData {
  const alert = { state: "firing", severity, name: name ?? "", widget_color: null, material_color: null, icon: null, since };
  return {
    type: "single", title: "T", unit: null, value: 1, ts: null, previous: null, delta: null, stale: false,
    alert: name === null ? null : alert,
  };
}

function bound(node: string, widget: string): Bound {
  const whole = { id: node, position: [0, 0, 0], rotation: [0, 0, 0], scale: [1, 1, 1], visible: true, widgets: [] };
  return {
    id: `${node}/${widget}`,
    node: whole as unknown as Bound["node"],
    binding: { widget_id: widget, anchor: {}, display: { kind: "card" } },
  };
}

test("worst first, then oldest; one entry for an alert that two widgets of a node show", () => {
  const answers: Record<string, SingleData> = {
    a: data("low", "info"),
    b: data("hot", "critical", "2026-11-20T12:05:00Z"),
    c: data("hot", "critical", "2026-11-20T12:05:00Z"),
    d: data("older", "critical", "2026-11-20T11:00:00Z"),
    e: data(null),
  };
  const bounds = [bound("n", "a"), bound("n", "b"), bound("n", "c"), bound("m", "d"), bound("m", "e"), bound("m", "f")];
  expect(alertList(bounds, (id) => answers[id]).map((entry) => entry.alert.name)).toEqual(["older", "hot", "low"]);
});

test("the worst of a node's widgets colours it", () => {
  expect(worst([data("a", "info"), undefined, data("b", "warning")])?.name).toBe("b");
  expect(worst([{ error: "X", message: "", status: 404 }, data(null)])).toBeNull();
});
