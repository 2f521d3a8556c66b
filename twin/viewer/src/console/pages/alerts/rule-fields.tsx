import type { Severity } from "../../../shared/types";
import { CheckField, ChecksField, ColourField, type Form, problemOf, SelectField, TextField } from "../../kit/form";
import { firstMany, useLoad } from "../../kit/load";
import { type Known, SourceField, useKnown } from "../../kit/source-choice";
import { CONDITIONS, DAYS, hasClear, isBand, type Limits, mayEscalate, NO_LIMITS, PART_CONDITIONS, type RuleForm } from "../../logic/rule";
import { to } from "../../router";
import { ZONES } from "../datasources/zones";

const SEVERITIES = [
  ["info", "info"],
  ["warning", "warning"],
  ["critical", "critical"],
] as const;

type Props = { form: Form<RuleForm> };

/** The fields of a rule. */
export function RuleFields(props: Props & { isNew: boolean }) {
  const { values, set, change, fault } = props.form;
  const known = useKnown(values.datasource_id);
  return (
    <>
      <TextField label="Name" value={values.name} onChange={(v) => set("name", v)} required autofocus placeholder="Bearing too hot" problem={problemOf(fault, "name")} />
      {props.isNew && <SourceField value={values.datasource_id} onChange={(v) => set("datasource_id", v)} problem={problemOf(fault, "datasource_id")} />}
      <div class="columns">
        <TextField label="Device" value={values.device} onChange={(v) => set("device", v)} choices={known.devices} placeholder="each by itself" problem={problemOf(fault, "device")} />
        <SelectField
          label="Fires when"
          value={values.join}
          onChange={(v) => set("join", v as RuleForm["join"])}
          options={[["one", "one condition holds"], ["all", "all of several hold"], ["any", "any of several holds"]]}
        />
      </div>
      {values.join === "one" ? (
        <LimitFields limits={values} known={known} conditions={CONDITIONS} prefix="" fault={fault} onChange={change} />
      ) : (
        <Parts form={props.form} known={known} />
      )}
      <div class="columns">
        <TextField label="Has to hold for (seconds)" type="number" value={values.for_seconds} onChange={(v) => set("for_seconds", v)} placeholder="0: fires at once" problem={problemOf(fault, "for_seconds")} />
        <SelectField label="Severity" value={values.severity} onChange={(v) => set("severity", v as Severity)} options={SEVERITIES} problem={problemOf(fault, "severity")} />
      </div>
      {values.join === "one" && mayEscalate(values.condition) && <Escalation form={props.form} />}
      <Webhooks form={props.form} />
      <Schedule form={props.form} />
      <details>
        <summary>Colours and icon in scenes</summary>
        <div class="columns more">
          <ColourField label="Widget colour" value={values.widget_color} onChange={(v) => set("widget_color", v)} problem={problemOf(fault, "widget_color")} />
          <ColourField label="Material colour" value={values.material_color} onChange={(v) => set("material_color", v)} problem={problemOf(fault, "material_color")} />
          <TextField label="Icon" value={values.icon} onChange={(v) => set("icon", v)} placeholder="as its severity" problem={problemOf(fault, "icon")} />
        </div>
      </details>
    </>
  );
}

function LimitFields(props: {
  limits: Limits;
  known: Known;
  conditions: readonly (readonly [string, string])[];
  prefix: string;
  fault: Form<RuleForm>["fault"];
  onChange: (changed: Partial<Limits>) => void;
}) {
  const { limits, prefix, fault, onChange } = props;
  const problem = (field: string) => problemOf(fault, prefix + field);
  return (
    <div class="row">
      <TextField label="Key" value={limits.key} onChange={(key) => onChange({ key })} choices={props.known.keys} required placeholder="temperature" problem={problem("key")} />
      <SelectField label="Condition" value={limits.condition} onChange={(condition) => onChange({ condition })} options={props.conditions} problem={problem("condition")} />
      <TextField label={isBand(limits.condition) ? "From" : "Threshold"} value={limits.threshold} onChange={(threshold) => onChange({ threshold })} required placeholder="80" problem={problem("threshold")} hint={limits.condition.endsWith("equal_to") ? "A number, true, false or a text." : undefined} />
      {isBand(limits.condition) && <TextField label="To" value={limits.high} onChange={(high) => onChange({ high })} required placeholder="90" problem={problem("threshold_high")} />}
      {hasClear(limits.condition) && <TextField label="Ends at" value={limits.clear} onChange={(clear) => onChange({ clear })} placeholder="the same" problem={problem("clear_threshold")} />}
    </div>
  );
}

function Parts(props: Props & { known: Known }) {
  const { values, set, fault } = props.form;
  const replace = (place: number, changed: Partial<Limits>) =>
    set("parts", values.parts.map((part, at) => (at === place ? { ...part, ...changed } : part)));
  return (
    <fieldset class="group">
      <legend>Conditions</legend>
      {values.parts.map((part, place) => (
        <div key={place} class="part">
          <LimitFields limits={part} known={props.known} conditions={PART_CONDITIONS} prefix={`${values.join}.${place}.`} fault={fault} onChange={(changed) => replace(place, changed)} />
          {values.parts.length > 1 && (
            <button type="button" class="button quiet" onClick={() => set("parts", values.parts.filter((_, at) => at !== place))} aria-label={`Remove condition ${place + 1}`}>
              Remove
            </button>
          )}
        </div>
      ))}
      {values.parts.length < 10 && (
        <div>
          <button type="button" class="button" onClick={() => set("parts", [...values.parts, NO_LIMITS])}>
            Add a condition
          </button>
        </div>
      )}
    </fieldset>
  );
}

function Escalation(props: Props) {
  const { values, set, fault } = props.form;
  const { steps } = values;
  const replace = (place: number, changed: Partial<(typeof steps)[number]>) =>
    set("steps", steps.map((step, at) => (at === place ? { ...step, ...changed } : step)));
  if (steps.length === 0) {
    return (
      <div>
        <button type="button" class="button" onClick={() => set("steps", [{ severity: "critical", threshold: "", clear: "" }])}>
          Add a second limit of higher severity
        </button>
      </div>
    );
  }
  return (
    <fieldset class="group">
      <legend>Further limits</legend>
      {steps.map((step, place) => (
        <div class="row" key={place}>
          <SelectField label="Becomes" value={step.severity} onChange={(severity) => replace(place, { severity })} options={SEVERITIES.slice(1)} problem={problemOf(fault, `escalation.${place}.severity`)} />
          <TextField label="At" value={step.threshold} onChange={(threshold) => replace(place, { threshold })} required problem={problemOf(fault, `escalation.${place}.threshold`)} />
          <TextField label="Ends at" value={step.clear} onChange={(clear) => replace(place, { clear })} placeholder="the same" problem={problemOf(fault, `escalation.${place}.clear_threshold`)} />
          <button type="button" class="button quiet" onClick={() => set("steps", steps.filter((_, at) => at !== place))} aria-label={`Remove limit ${place + 1}`}>
            Remove
          </button>
        </div>
      ))}
      {steps.length < 2 && (
        <div>
          <button type="button" class="button" onClick={() => set("steps", [...steps, { severity: "critical", threshold: "", clear: "" }])}>
            Add a limit
          </button>
        </div>
      )}
    </fieldset>
  );
}

function Webhooks(props: Props) {
  const { values, set, fault } = props.form;
  const hooks = useLoad("rule webhooks", () => firstMany<{ id: string; name: string }>("/v1/webhooks"));
  if (hooks.value?.length === 0) {
    return (
      <p class="hint">
        Nobody is told yet: <a href={to("webhooks", "new")}>make a webhook</a> to be called when it fires.
      </p>
    );
  }
  return (
    <ChecksField label="Tells" options={(hooks.value ?? []).map((one) => [one.id, one.name] as const)} chosen={values.webhooks} onChange={(v) => set("webhooks", v)} problem={problemOf(fault, "webhooks")} />
  );
}

function Schedule(props: Props) {
  const { values, set, fault } = props.form;
  return (
    <>
      <CheckField label="Judge at some hours only" checked={values.hasSchedule} onChange={(v) => set("hasSchedule", v)} />
      {values.hasSchedule && (
        <fieldset class="group">
          <legend>Schedule</legend>
          <ChecksField label="Days" options={DAYS} chosen={values.days} onChange={(v) => set("days", v)} problem={problemOf(fault, "schedule.days")} />
          <div class="row">
            <TextField label="From" value={values.from} onChange={(v) => set("from", v)} placeholder="06:00" problem={problemOf(fault, "schedule.from")} />
            <TextField label="To" value={values.to} onChange={(v) => set("to", v)} placeholder="22:00" problem={problemOf(fault, "schedule.to")} />
            <TextField label="Time zone" value={values.timezone} onChange={(v) => set("timezone", v)} choices={ZONES} placeholder="the datasource's" problem={problemOf(fault, "schedule.timezone")} />
          </div>
          <p class="hint">An end before the begin is the next day's.</p>
        </fieldset>
      )}
    </>
  );
}
