// The alerts that a scene's widgets show, each once, worst and oldest first.
import type { ShownAlert, WidgetAnswer } from "../shared/types";
import { isError } from "../shared/types";
import type { Bound } from "./state";

export interface BoundAlert {
  bound: Bound;
  alert: ShownAlert;
  title: string;
}

const RANKS = { info: 1, warning: 2, critical: 3 } as const;

export function rankOf(alert: ShownAlert): number {
  return RANKS[alert.severity];
}

/** Return the alert of an answer, or null. */
export function alertOf(answer: WidgetAnswer | undefined): ShownAlert | null {
  return answer === undefined || isError(answer) ? null : answer.alert;
}

/** Return one entry per alert and node. */
export function alertList(bounds: Bound[], answer: (widgetId: string) => WidgetAnswer | undefined): BoundAlert[] {
  const found = new Map<string, BoundAlert>();
  for (const bound of bounds) {
    const shown = answer(bound.binding.widget_id);
    if (shown === undefined || isError(shown) || !shown.alert) continue;
    const { alert, title } = shown;
    const key = JSON.stringify([bound.node.id, alert.name, alert.since]);
    if (!found.has(key)) found.set(key, { bound, alert, title });
  }
  return [...found.values()].sort(
    (a, b) => rankOf(b.alert) - rankOf(a.alert) || Date.parse(a.alert.since) - Date.parse(b.alert.since),
  );
}

/** Return the worst of some answers' alerts, the oldest among equals. */
export function worst(answers: (WidgetAnswer | undefined)[]): ShownAlert | null {
  const alerts = answers.map(alertOf).filter((alert) => alert !== null);
  alerts.sort((a, b) => rankOf(b) - rankOf(a) || Date.parse(a.since) - Date.parse(b.since));
  return alerts[0] ?? null;
}
