// An alert rule's form: what was typed ↔ the fields of the API, and a rule in words.
import type { Severity, Value } from "../../shared/types";

export interface Limits {
  key: string;
  condition: string;
  threshold: string;
  high: string;
  clear: string;
}

export interface Step {
  severity: string;
  threshold: string;
  clear: string;
}

export interface RuleForm extends Limits {
  name: string;
  datasource_id: string;
  device: string;
  join: "one" | "all" | "any";
  parts: Limits[];
  for_seconds: string;
  severity: Severity;
  steps: Step[];
  hasSchedule: boolean;
  timezone: string;
  days: string[];
  from: string;
  to: string;
  widget_color: string;
  material_color: string;
  icon: string;
  webhooks: string[];
}

export interface Part {
  key: string;
  condition: string;
  threshold: Value;
  threshold_high?: number | null;
  clear_threshold?: number | null;
}

export interface DeviceState {
  device: string;
  state: string;
  since: string;
  value: Value;
  severity: Severity | null;
  error: string | null;
  acknowledged_at: string | null;
  acknowledged_by: string | null;
  silenced_until: string | null;
}

export interface Rule {
  id: string;
  name: string;
  datasource_id: string;
  key: string;
  device: string | null;
  condition: string | null;
  threshold: Value;
  threshold_high: number | null;
  clear_threshold: number | null;
  all: Part[] | null;
  any: Part[] | null;
  escalation: { severity: string; threshold: number; clear_threshold: number | null }[];
  schedule: { timezone: string | null; days: string[]; from: string; to: string } | null;
  for_seconds: number;
  severity: Severity;
  widget_color: string | null;
  material_color: string | null;
  icon: string | null;
  webhooks: string[];
  is_active: boolean;
  unseen: boolean;
  unseen_keys: string[];
  state: string;
  states: DeviceState[];
}

export const CONDITIONS = [
  ["greater_than", "is greater than"],
  ["greater_or_equal", "is at least"],
  ["less_than", "is less than"],
  ["less_or_equal", "is at most"],
  ["equal_to", "equals"],
  ["not_equal_to", "differs from"],
  ["between", "is between"],
  ["outside", "is outside"],
  ["rate_above", "rises per minute by more than"],
  ["no_data", "has sent nothing for (seconds)"],
] as const;
export const PART_CONDITIONS = CONDITIONS.filter(([name]) => name !== "rate_above" && name !== "no_data");
export const DAYS = [
  ["mon", "Mon"],
  ["tue", "Tue"],
  ["wed", "Wed"],
  ["thu", "Thu"],
  ["fri", "Fri"],
  ["sat", "Sat"],
  ["sun", "Sun"],
] as const;

export const NO_LIMITS: Limits = { key: "", condition: "greater_than", threshold: "", high: "", clear: "" };
export const NEW_RULE: RuleForm = {
  ...NO_LIMITS,
  name: "",
  datasource_id: "",
  device: "",
  join: "one",
  parts: [NO_LIMITS, NO_LIMITS],
  for_seconds: "",
  severity: "warning",
  steps: [],
  hasSchedule: false,
  timezone: "",
  days: DAYS.map(([day]) => day),
  from: "06:00",
  to: "22:00",
  widget_color: "",
  material_color: "",
  icon: "",
  webhooks: [],
};

export const isBand = (condition: string) => condition === "between" || condition === "outside";
export const hasClear = (condition: string) =>
  ["greater_than", "greater_or_equal", "less_than", "less_or_equal", "rate_above"].includes(condition);
export const mayEscalate = hasClear;

/** Return a threshold as typed: a number, true or false, else a text, always one in quotes; null for nothing. */
export function thresholdOf(text: string): Value {
  const typed = text.trim();
  if (/^".*"$/.test(typed)) return typed.slice(1, -1);
  if (typed === "") return null;
  if (typed === "true" || typed === "false") return typed === "true";
  const number = Number(typed.replace(",", "."));
  return Number.isNaN(number) ? typed : number;
}

const numberOf = (text: string) => (text.trim() === "" ? null : thresholdOf(text));
const textOf = (value: Value | undefined) => {
  if (value === null || value === undefined) return "";
  return typeof value === "string" && typeof thresholdOf(value) !== "string" ? `"${value}"` : String(value);
};

function limitsBody(limits: Limits): Omit<Part, "key"> {
  return {
    condition: limits.condition,
    threshold: thresholdOf(limits.threshold),
    threshold_high: (isBand(limits.condition) ? numberOf(limits.high) : null) as number | null,
    clear_threshold: (hasClear(limits.condition) ? numberOf(limits.clear) : null) as number | null,
  };
}

/** Return the body of a rule for POST; PATCH leaves the datasource out. */
export function bodyOf(form: RuleForm): Record<string, unknown> {
  const parts = form.parts.map((part) => ({ key: part.key.trim(), ...limitsBody(part) }));
  const none = { condition: null, threshold: null, threshold_high: null, clear_threshold: null };
  const isOne = form.join === "one";
  return {
    name: form.name,
    datasource_id: form.datasource_id,
    key: isOne ? form.key.trim() : (parts[0]?.key ?? ""),
    device: form.device.trim() || null,
    ...(isOne ? limitsBody(form) : none),
    all: form.join === "all" ? parts : null,
    any: form.join === "any" ? parts : null,
    for_seconds: numberOf(form.for_seconds) ?? 0,
    severity: form.severity,
    escalation:
      isOne && mayEscalate(form.condition)
        ? form.steps.map((step) => ({
            severity: step.severity,
            threshold: thresholdOf(step.threshold),
            clear_threshold: numberOf(step.clear),
          }))
        : [],
    schedule: form.hasSchedule
      ? { timezone: form.timezone.trim() || null, days: form.days, from: form.from, to: form.to }
      : null,
    widget_color: form.widget_color.trim() || null,
    material_color: form.material_color.trim() || null,
    icon: form.icon.trim() || null,
    webhooks: form.webhooks,
  };
}

function limitsForm(part: Part): Limits {
  return {
    key: part.key,
    condition: part.condition,
    threshold: textOf(part.threshold),
    high: textOf(part.threshold_high),
    clear: textOf(part.clear_threshold),
  };
}

/** Return a rule as its form. */
export function formOf(rule: Rule): RuleForm {
  const parts = rule.all ?? rule.any;
  const limits = limitsForm({ ...rule, condition: rule.condition ?? "greater_than" });
  return {
    ...limits,
    name: rule.name,
    datasource_id: rule.datasource_id,
    device: rule.device ?? "",
    join: rule.all ? "all" : rule.any ? "any" : "one",
    parts: parts ? parts.map(limitsForm) : NEW_RULE.parts,
    for_seconds: rule.for_seconds ? String(rule.for_seconds) : "",
    severity: rule.severity,
    steps: rule.escalation.map((step) => ({
      severity: step.severity,
      threshold: textOf(step.threshold),
      clear: textOf(step.clear_threshold),
    })),
    hasSchedule: rule.schedule !== null,
    timezone: rule.schedule?.timezone ?? "",
    days: rule.schedule?.days ?? NEW_RULE.days,
    from: rule.schedule?.from ?? NEW_RULE.from,
    to: rule.schedule?.to ?? NEW_RULE.to,
    widget_color: rule.widget_color ?? "",
    material_color: rule.material_color ?? "",
    icon: rule.icon ?? "",
    webhooks: rule.webhooks,
  };
}

const SIGNS: Record<string, string> = {
  greater_than: ">",
  greater_or_equal: "≥",
  less_than: "<",
  less_or_equal: "≤",
  equal_to: "=",
  not_equal_to: "≠",
};

function limitsInWords(part: Part): string {
  const { key, condition, threshold } = part;
  if (isBand(condition)) return `${key} ${condition} ${textOf(threshold)} and ${textOf(part.threshold_high)}`;
  if (condition === "rate_above") return `${key} rises by more than ${textOf(threshold)} per minute`;
  if (condition === "no_data") return `no ${key} for ${textOf(threshold)} s`;
  return `${key} ${SIGNS[condition] ?? condition} ${textOf(threshold)}`;
}

/** Return what a rule asks, in words. */
export function inWords(rule: Rule): string {
  const parts = rule.all ?? rule.any;
  const asked = parts
    ? parts.map(limitsInWords).join(rule.all ? " and " : " or ")
    : limitsInWords({ ...rule, condition: rule.condition ?? "" });
  const whose = rule.device === null ? "" : ` of ${rule.device || "readings without a device"}`;
  return `${asked}${whose}${rule.for_seconds ? ` for ${rule.for_seconds} s` : ""}`;
}
