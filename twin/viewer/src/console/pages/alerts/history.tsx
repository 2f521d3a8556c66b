import { useState } from "preact/hooks";
import { withQuery } from "../../../shared/api";
import { number, value as shownValue } from "../../../shared/format";
import type { Severity, Value } from "../../../shared/types";
import { Badge, Empty, Moment } from "../../kit/basics";
import { SelectField, TextField } from "../../kit/form";
import { List } from "../../kit/list";
import { firstMany, useList, useLoad } from "../../kit/load";
import { NO_FILTER, queryOf } from "../../logic/lists";
import type { Rule } from "../../logic/rule";
import { to } from "../../router";

interface Event_ {
  id: number;
  alert_id: string;
  name: string;
  device: string;
  key: string;
  previous_state: string;
  state: string;
  severity: Severity;
  previous_severity: string | null;
  ts: string;
  value: Value;
  reason: string | null;
  duration_seconds: number | null;
  acknowledged_at: string | null;
  acknowledged_by: string | null;
}

/** Every change of state, newest first; of one rule or of all. */
export function History(props: { ruleId?: string }) {
  const [filter, setFilter] = useState({ ...NO_FILTER, alert_id: props.ruleId ?? "" });
  const query = queryOf(filter);
  const list = useList<Event_>("/v1/alerts/events", query);
  const rules = useLoad("history rules", async () => (props.ruleId ? [] : await firstMany<Rule>("/v1/alerts")));
  const set = (name: keyof typeof NO_FILTER) => (value: string) => setFilter({ ...filter, [name]: value });
  return (
    <section class="panel">
      <div class="filters">
        {!props.ruleId && (
          <SelectField label="Rule" value={filter.alert_id} onChange={set("alert_id")} options={[["", "all"], ...(rules.value ?? []).map((one) => [one.id, one.name] as const)]} />
        )}
        <TextField label="Device" value={filter.device} onChange={set("device")} placeholder="all" />
        <SelectField label="Severity" value={filter.severity} onChange={set("severity")} options={[["", "all"], ["info", "info"], ["warning", "warning"], ["critical", "critical"]]} />
        <SelectField label="State reached" value={filter.state} onChange={set("state")} options={[["", "all"], ["pending", "pending"], ["firing", "firing"], ["normal", "normal"]]} />
        <TextField label="From" type="datetime-local" value={filter.from} onChange={set("from")} />
        <TextField label="Before" type="datetime-local" value={filter.to} onChange={set("to")} />
        <a class="button" href={withQuery("/v1/alerts/events", { ...query, format: "csv" })} download>
          As CSV
        </a>
      </div>
      <List
        label="History"
        list={list}
        id={(one) => one.id}
        columns={[
          { title: "Time", cell: (one) => <Moment at={one.ts} /> },
          {
            title: "Alert",
            shape: "wide",
            cell: (one) => (
              <>
                <a href={to("alerts", "rules", one.alert_id)}>{one.name}</a> {one.device && <span class="muted">{one.device}</span>}
                {one.reason && <span class="muted small block">{one.reason}</span>}
              </>
            ),
          },
          {
            title: "Became",
            cell: (one) => <Badge tone={one.state === "firing" ? one.severity : one.state === "normal" ? "ok" : ""}>{one.state === "firing" ? `${one.state}, ${one.severity}` : one.state}</Badge>,
          },
          { title: "Value", shape: "end", cell: (one) => <span class="numbers">{shownValue(one.value)}</span> },
          { title: "Lasted", cell: (one) => (one.duration_seconds === null ? <span class="faint nowrap">until now</span> : <span class="nowrap">{number(one.duration_seconds)} s</span>) },
          { title: "Acknowledged", cell: (one) => (one.acknowledged_at ? `by ${one.acknowledged_by}` : <span class="faint">–</span>) },
        ]}
        empty={
          <Empty title={Object.keys(query).length > (props.ruleId ? 1 : 0) ? "Nothing matches" : "Nothing has happened yet"}>
            <p>Every change of an alert's state is kept here for two years, with the reading that caused it.</p>
          </Empty>
        }
      />
    </section>
  );
}
