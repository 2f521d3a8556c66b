// A widget's form: what was typed ↔ the fields of the API. Empty texts are what was not given.
import type { Widget, WidgetType } from "../../shared/types";

export interface WidgetForm {
  type: WidgetType;
  title: string;
  datasource_id: string;
  keys: string;
  secondary: string;
  device: string;
  unit: string;
  agg: string;
  range: string;
  bucket: string;
  points: string;
  downsample: string;
  fill: string;
  timezone: string;
  group_by: string;
  stale_seconds: string;
}

export const NEW_WIDGET: WidgetForm = {
  type: "line",
  title: "",
  datasource_id: "",
  keys: "",
  secondary: "",
  device: "",
  unit: "",
  agg: "",
  range: "24h",
  bucket: "",
  points: "",
  downsample: "",
  fill: "",
  timezone: "",
  group_by: "",
  stale_seconds: "",
};

export const TYPES: [WidgetType, string][] = [
  ["line", "Line over time"],
  ["bar", "Bars"],
  ["single", "Single value"],
  ["double", "Two values"],
];
export const AGGREGATES = ["avg", "min", "max", "sum", "count", "first", "last", "median", "p95", "p99", "delta", "rate"];
export const RANGES = ["15m", "1h", "6h", "24h", "7d", "30d", "today", "yesterday", "this_week", "this_month"];

const HAS_WINDOW: readonly WidgetType[] = ["line", "bar"];

/** Return whether a field means something for a type. */
export function applies(type: WidgetType, field: keyof WidgetForm): boolean {
  if (field === "secondary") return type === "double";
  if (field === "stale_seconds") return type === "single";
  if (field === "downsample") return type === "line";
  if (["range", "bucket", "points", "fill", "group_by"].includes(field)) return HAS_WINDOW.includes(type);
  return true;
}

/** Return the fields of the API that the form gives; what is null goes back to its default. */
export function specOf(form: WidgetForm): Record<string, unknown> {
  const text = (field: keyof WidgetForm) => (applies(form.type, field) && form[field].trim() !== "" ? form[field].trim() : null);
  const keys = form.keys
    .split(",")
    .map((key) => key.trim())
    .filter(Boolean);
  const isDouble = form.type === "double";
  const given = (field: keyof WidgetForm) => {
    const found = text(field);
    return found === null || Number.isNaN(Number(found)) ? found : Number(found);
  };
  return {
    type: form.type,
    title: form.title,
    datasource_id: form.datasource_id,
    key: isDouble ? null : keys.length > 1 ? keys : (keys[0] ?? null),
    primary_key: isDouble ? (keys[0] ?? null) : null,
    secondary_key: text("secondary"),
    device: text("device"),
    unit: text("unit"),
    agg: text("agg"),
    range: text("range"),
    bucket: text("bucket"),
    points: given("points"),
    downsample: text("downsample"),
    fill: text("fill"),
    timezone: text("timezone"),
    group_by: text("group_by"),
    stale_seconds: given("stale_seconds"),
  };
}

/** Return the query of a preview, or null while the form does not say of what. */
export function previewQuery(form: WidgetForm): Record<string, string | string[]> | null {
  const { type: _type, ...spec } = specOf(form);
  if (!form.datasource_id || (spec["key"] ?? spec["primary_key"]) === null) return null;
  if (form.type === "double" && spec["secondary_key"] === null) return null;
  const query: Record<string, string | string[]> = {};
  for (const [field, value] of Object.entries(spec))
    if (value !== null && value !== "") query[field] = Array.isArray(value) ? value.map(String) : String(value);
  return query;
}

/** Return a saved widget as its form. A window between fixed times is kept as it is: the form has no field for it. */
export function formOf(widget: Widget): WidgetForm {
  const text = (field: string) => {
    const value = widget[field];
    return value === null || value === undefined ? "" : String(value);
  };
  const isDefault = (field: string, value: string) => (text(field) === value ? "" : text(field));
  const { key } = widget;
  return {
    type: widget.type,
    title: widget.title,
    datasource_id: widget.datasource_id,
    keys: widget.type === "double" ? text("primary_key") : Array.isArray(key) ? key.join(", ") : (key ?? ""),
    secondary: text("secondary_key"),
    device: text("device"),
    unit: text("unit"),
    agg: text("agg"),
    range: text("range"),
    bucket: isDefault("bucket", "auto"),
    points: text("points"),
    downsample: isDefault("downsample", "bucket"),
    fill: isDefault("fill", "none"),
    timezone: text("timezone"),
    group_by: isDefault("group_by", "time"),
    stale_seconds: isDefault("stale_seconds", "300"),
  };
}

/** Return what a widget shows, in words. */
export function shows(widget: Widget): string {
  const { key } = widget;
  const keys = widget.type === "double" ? [widget.primary_key, widget.secondary_key] : Array.isArray(key) ? key : [key];
  const words = [widget.agg, keys.filter(Boolean).join(", ")].filter(Boolean).join(" of ");
  return [words, widget.device ? `of ${widget.device}` : "", widget.range ?? ""].filter(Boolean).join(", ");
}
