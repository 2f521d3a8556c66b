import type { WidgetType } from "../../../shared/types";
import { type Form, problemOf, SelectField, TextField } from "../../kit/form";
import { SourceField, useKnown } from "../../kit/source-choice";
import { AGGREGATES, applies, RANGES, TYPES, type WidgetForm } from "../../logic/widget";
import { ZONES } from "../datasources/zones";

const BUCKETS = ["10s", "1m", "5m", "15m", "1h", "1d", "1w", "1mo"];
const as = (values: readonly string[], none: string) => [["", none] as const, ...values.map((one) => [one, one] as const)];

/** The fields of a widget; those of its type. */
export function WidgetFields(props: { form: Form<WidgetForm> }) {
  const { values, set, fault } = props.form;
  const known = useKnown(values.datasource_id);
  const isDouble = values.type === "double";
  const keyProblem = problemOf(fault, isDouble ? "primary_key" : "key");
  return (
    <>
      <TextField label="Title" value={values.title} onChange={(v) => set("title", v)} required autofocus placeholder="Bearing temperature" problem={problemOf(fault, "title")} />
      <SelectField label="Type" value={values.type} onChange={(v) => set("type", v as WidgetType)} options={TYPES} />
      <SourceField value={values.datasource_id} onChange={(v) => set("datasource_id", v)} problem={problemOf(fault, "datasource_id")} />
      <div class="columns">
        <TextField
          label={isDouble ? "First key" : "Key"}
          value={values.keys}
          onChange={(v) => set("keys", v)}
          choices={known.keys}
          required
          placeholder={known.keys[0] ?? "temperature"}
          problem={keyProblem}
          hint={["line", "bar"].includes(values.type) ? "Several with commas between." : undefined}
        />
        {isDouble && <TextField label="Second key" value={values.secondary} onChange={(v) => set("secondary", v)} choices={known.keys} required problem={problemOf(fault, "secondary_key")} />}
        <TextField label="Device" value={values.device} onChange={(v) => set("device", v)} choices={known.devices} placeholder="all together" problem={problemOf(fault, "device")} />
      </div>
      <div class="columns">
        <SelectField label="Aggregate" value={values.agg} onChange={(v) => set("agg", v)} options={as(AGGREGATES, "as the type does")} problem={problemOf(fault, "agg")} />
        {applies(values.type, "range") && <TextField label="Window" value={values.range} onChange={(v) => set("range", v)} choices={RANGES} placeholder="24h" problem={problemOf(fault, "range")} hint="15m, 24h, 7d, today, …" />}
      </div>
      <More form={props.form} />
    </>
  );
}

function More(props: { form: Form<WidgetForm> }) {
  const { values, set, fault } = props.form;
  const shown = (field: keyof WidgetForm) => applies(values.type, field);
  return (
    <details>
      <summary>More</summary>
      <div class="columns more">
        <TextField label="Unit" value={values.unit} onChange={(v) => set("unit", v)} placeholder="the key's" problem={problemOf(fault, "unit")} />
        {shown("bucket") && <TextField label="Bucket" value={values.bucket} onChange={(v) => set("bucket", v)} choices={BUCKETS} placeholder="auto" problem={problemOf(fault, "bucket")} />}
        {shown("points") && <TextField label="Most points" type="number" value={values.points} onChange={(v) => set("points", v)} problem={problemOf(fault, "points")} />}
        {shown("downsample") && <SelectField label="Downsampling" value={values.downsample} onChange={(v) => set("downsample", v)} options={[["", "an aggregate per bucket"], ["lttb", "keep the shape (LTTB)"], ["minmax", "keep every peak"]]} problem={problemOf(fault, "downsample")} />}
        {shown("fill") && <SelectField label="Empty buckets" value={values.fill} onChange={(v) => set("fill", v)} options={[["", "are left out"], ["null", "are gaps"], ["previous", "repeat the value before"], ["linear", "are a straight line"]]} problem={problemOf(fault, "fill")} />}
        {shown("group_by") && <SelectField label="Divided by" value={values.group_by} onChange={(v) => set("group_by", v)} options={[["", "time"], ["device", "device"], ...(values.type === "bar" ? [["label", "text value"] as const] : [])]} problem={problemOf(fault, "group_by")} />}
        <TextField label="Time zone" value={values.timezone} onChange={(v) => set("timezone", v)} choices={ZONES} placeholder="the datasource's" problem={problemOf(fault, "timezone")} />
        {shown("stale_seconds") && <TextField label="Stale after (seconds)" type="number" value={values.stale_seconds} onChange={(v) => set("stale_seconds", v)} placeholder="300" problem={problemOf(fault, "stale_seconds")} />}
      </div>
    </details>
  );
}
