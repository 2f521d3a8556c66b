// What lists show and ask: which alarms come first, which filters are set, how soon to look again.
import type { DeviceState, Rule } from "./rule";

export interface Alarm {
  rule: Rule;
  state: DeviceState;
}

const RANK = { critical: 0, warning: 1, info: 2 };

/** Return what is not normal, the most severe first, then the oldest. */
export function alarmsOf(rules: Rule[]): Alarm[] {
  const found = rules.flatMap((rule) => rule.states.map((state) => ({ rule, state })));
  const rank = ({ rule, state }: Alarm) => (state.state === "firing" ? 0 : 10) + RANK[state.severity ?? rule.severity];
  return found.sort((a, b) => rank(a) - rank(b) || a.state.since.localeCompare(b.state.since));
}

export const NO_FILTER = { alert_id: "", device: "", severity: "", state: "", from: "", to: "" };

/** Return the filters that are set, local times as RFC 3339. */
export function queryOf(filter: typeof NO_FILTER): Record<string, string> {
  const moment = (text: string) => (text ? new Date(text).toISOString() : "");
  const all = { ...filter, from: moment(filter.from), to: moment(filter.to) };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}

export const SOON_MS = 1500;
export const LATER_MS = 10_000;

interface Due {
  state: string;
  created_at: string;
  next_attempt_at: string | null;
}

/** Return the pause until the next look at deliveries: short while a call is under way or due. */
export function deliveryPause(items: Due[], now: number): number {
  const isDue = (one: Due) => one.state === "pending" && Date.parse(one.next_attempt_at ?? one.created_at) <= now + SOON_MS;
  return items.some(isDue) ? SOON_MS : LATER_MS;
}
