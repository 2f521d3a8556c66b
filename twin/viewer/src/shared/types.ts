// The shapes of the API that the pages use; docs/ and /openapi.json describe them.

export type Value = number | string | boolean | null;
export type Vec3 = [number, number, number];
export type Severity = "info" | "warning" | "critical";

export interface ShownAlert {
  state: string;
  severity: Severity;
  name: string;
  widget_color: string | null;
  material_color: string | null;
  icon: string | null;
  since: string;
}

export interface Series {
  key: string;
  device: string | null;
  values: Value[];
}

export interface LineData {
  type: "line";
  title: string;
  unit: string | null;
  from: string;
  to: string;
  bucket_seconds: number;
  labels: string[];
  values: Value[];
  min?: (number | null)[];
  max?: (number | null)[];
  series?: Series[];
  alert: ShownAlert | null;
}

export interface BarData {
  type: "bar";
  title: string;
  unit: string | null;
  labels: string[];
  values: Value[];
  series?: Series[];
  alert: ShownAlert | null;
}

export interface SingleData {
  type: "single";
  title: string;
  unit: string | null;
  value: Value;
  ts: string | null;
  previous: Value;
  delta: number | null;
  stale: boolean;
  alert: ShownAlert | null;
}

export interface DoublePart {
  key: string;
  value: Value;
  unit: string | null;
  ts: string | null;
}

export interface DoubleData {
  type: "double";
  title: string;
  primary: DoublePart;
  secondary: DoublePart;
  alert: ShownAlert | null;
}

export type WidgetData = LineData | BarData | SingleData | DoubleData;
export type WidgetType = WidgetData["type"];

export interface ErrorItem {
  index?: number;
  key?: string;
  message: string;
}

/** The body of every error. */
export interface ErrorBody {
  error: string;
  message: string;
  status: number;
  detail?: string;
  errors?: ErrorItem[];
  retry_after?: number;
}

/** What one widget of several is answered with: its data, or why there is none. */
export type WidgetAnswer = WidgetData | ErrorBody;

export function isError(answer: WidgetAnswer): answer is ErrorBody {
  return "error" in answer;
}

export interface Page<T> {
  items: T[];
  total: number;
  limit: number;
  offset: number;
}

export interface Session {
  key_id: string;
  name: string;
  tenant_id: string;
  environment: "live" | "test";
  scopes: string[];
  is_operator?: boolean;
  expires_at: string | null;
}

/** A saved widget. */
export interface Widget {
  id: string;
  type: WidgetType;
  title: string;
  datasource_id: string;
  key?: string | string[];
  primary_key?: string;
  secondary_key?: string;
  device?: string;
  unit?: string;
  agg?: string;
  range?: string;
  [field: string]: unknown;
}

export type PrimitiveType = "box" | "cylinder" | "sphere" | "pipe" | "tank" | "conveyor" | "floor";

export interface Primitive {
  type: PrimitiveType;
  size: Vec3;
  color: string;
  opacity: number;
  path?: Vec3[] | null;
  radius?: number | null;
}

export interface ValueRange {
  from?: number | null;
  to?: number | null;
  color: string;
}

export type DisplayKind = "card" | "chart" | "gauge" | "label" | "color" | "visibility" | "motion";

export interface Display {
  kind: DisplayKind;
  min?: number | null;
  max?: number | null;
  ranges?: ValueRange[];
  node?: string | null;
  from?: number | null;
  to?: number | null;
  axis?: "x" | "y" | "z";
  /** Motion: revolutions a minute per unit of the value. */
  factor?: number;
}

export interface Binding {
  widget_id: string;
  anchor: { node?: string | null; position?: Vec3 };
  display: Display;
}

export interface SceneNode {
  id: string;
  name?: string | null;
  parent?: string | null;
  asset_id?: string | null;
  primitive?: Primitive | null;
  position: Vec3;
  /** Degrees about x, y and z, or a quaternion x, y, z, w. */
  rotation: number[];
  scale: Vec3;
  visible: boolean;
  widgets: Binding[];
}

export interface Camera {
  name: string;
  position: Vec3;
  target: Vec3;
  fov?: number;
}

export interface Environment {
  background?: string | null;
  light: "day" | "studio" | "dusk";
  grid: boolean;
}

export interface Asset {
  id: string;
  name: string;
  size_bytes: number;
  sha256: string;
  nodes: string[];
  triangles: number;
  animations: string[];
  extensions: string[];
  url: string;
  created_at: string;
  updated_at: string;
}

export interface Scene {
  id: string;
  name: string;
  description: string;
  nodes: SceneNode[];
  cameras: Camera[];
  environment: Environment;
  revision: number;
  assets: Asset[];
  missing: { asset_ids: string[]; widget_ids: string[] };
  created_at: string;
  updated_at: string;
}

/** A scene in the list of scenes. */
export interface SceneSummary {
  id: string;
  name: string;
  description: string;
  revision: number;
  nodes_total: number;
  widgets_total: number;
  updated_at: string;
}
