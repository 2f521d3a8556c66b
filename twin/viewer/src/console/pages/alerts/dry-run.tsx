// What a rule would have done with the readings that are stored.
import { useState } from "preact/hooks";
import { value as shownValue } from "../../../shared/format";
import type { Value } from "../../../shared/types";
import { Badge, Card, Fault, Moment, Notice } from "../../kit/basics";
import { SelectField, useForm } from "../../kit/form";
import { Table } from "../../kit/list";
import { bodyOf, type RuleForm } from "../../logic/rule";
import { api } from "../../session";

interface Result {
  transitions: { device: string; ts: string; previous_state: string; state: string; severity: "info" | "warning" | "critical" | null; value: Value; reason: string | null }[];
  total: number;
  rows: number;
}

const RANGES = [
  ["3600", "the last hour"],
  ["86400", "the last day"],
  ["604800", "the last week"],
  ["2592000", "the last 30 days"],
] as const;
const MOST_SHOWN = 20;

export function DryRun(props: { form: RuleForm }) {
  const [result, setResult] = useState<Result | null>(null);
  const form = useForm({ seconds: "86400" }, async ({ seconds }) => {
    setResult(null);
    const now = Date.now();
    const from = new Date(now - Number(seconds) * 1000).toISOString();
    const rule = bodyOf({ ...props.form, name: props.form.name || "Dry run" });
    setResult(await api.post<Result>("/v1/alerts/dry_run", { rule, from, to: new Date(now).toISOString() }));
  });
  const firing = result?.transitions.filter((one) => one.state === "firing").length ?? 0;
  return (
    <Card title="Try it first" about="What the rule above would have done with the readings stored. Nothing is written, nobody is told.">
      <form class="row" onSubmit={form.submit} aria-label="Dry run">
        <SelectField label="With" value={form.values.seconds} onChange={(v) => form.set("seconds", v)} options={RANGES} />
        <button class="button" disabled={form.isBusy || !props.form.datasource_id}>
          {form.isBusy ? "Judging…" : "Dry run"}
        </button>
      </form>
      <Fault fault={form.fault} />
      {result && (
        <Notice tone={firing > 0 ? "warning" : "ok"}>
          {result.rows.toLocaleString("en")} readings judged:{" "}
          {result.total === 0 ? "the rule would have stayed silent." : `it would have changed its state ${result.total} times and fired ${firing} times.`}
        </Notice>
      )}
      {result && result.transitions.length > 0 && (
        <Table
          label="Dry run"
          items={result.transitions.slice(0, MOST_SHOWN)}
          id={(one) => `${one.ts} ${one.device} ${one.state}`}
          columns={[
            { title: "Time", cell: (one) => <Moment at={one.ts} /> },
            { title: "Device", shape: "wide", cell: (one) => one.device || <span class="faint">–</span> },
            { title: "Becomes", cell: (one) => <Badge tone={one.state === "firing" ? (one.severity ?? "") : one.state === "normal" ? "ok" : ""}>{one.state}</Badge> },
            { title: "Value", shape: "end", cell: (one) => <span class="numbers">{shownValue(one.value)}</span> },
          ]}
        />
      )}
    </Card>
  );
}
