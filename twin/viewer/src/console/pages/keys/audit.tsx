import { useState } from "preact/hooks";
import { withQuery } from "../../../shared/api";
import { Badge, Empty, Moment } from "../../kit/basics";
import { Dialog } from "../../kit/dialog";
import { SelectField, TextField } from "../../kit/form";
import { List } from "../../kit/list";
import { useList } from "../../kit/load";

interface Entry {
  id: number;
  at: string;
  actor_kind: string;
  actor_name: string;
  address: string;
  action: string;
  object_kind: string;
  object_id: string;
  changes: Record<string, unknown>;
}

const KINDS = ["datasource", "ingest key", "management key", "application", "widget", "alert", "webhook", "delivery", "silence", "scene", "asset", "view token"];
const ACTIONS = ["create", "update", "delete", "rotate", "acknowledge", "resend"];
const all = (values: string[]) => [["", "all"] as const, ...values.map((one) => [one, one] as const)];

function nameIn(changes: Record<string, unknown>): string {
  const name = changes["name"] ?? changes["title"];
  return typeof name === "string" ? name : "";
}

/** Every change, newest first. */
export function Audit() {
  const [filter, setFilter] = useState({ object_kind: "", action: "", object_id: "" });
  const query = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ""));
  const list = useList<Entry>("/v1/audit", query);
  const [shown, setShown] = useState<Entry | null>(null);
  const set = (name: keyof typeof filter) => (value: string) => setFilter({ ...filter, [name]: value.trim() });
  return (
    <section class="panel">
      <div class="filters">
        <SelectField label="Of what" value={filter.object_kind} onChange={set("object_kind")} options={all(KINDS)} />
        <SelectField label="Change" value={filter.action} onChange={set("action")} options={all(ACTIONS)} />
        <TextField label="Id" value={filter.object_id} onChange={set("object_id")} placeholder="all" />
        <a class="button" href={withQuery("/v1/audit/export", query)} download>
          As CSV
        </a>
      </div>
      <List
        label="Audit trail"
        list={list}
        id={(one) => one.id}
        columns={[
          { title: "Time", cell: (one) => <Moment at={one.at} /> },
          {
            title: "By",
            cell: (one) => (
              <>
                {one.actor_name || one.actor_kind}
                <span class="muted small block">{one.address}</span>
              </>
            ),
          },
          { title: "Change", cell: (one) => <Badge tone={one.action === "delete" ? "critical" : one.action === "create" ? "ok" : ""}>{one.action}</Badge> },
          {
            title: "Of",
            shape: "wide",
            cell: (one) => (
              <>
                {one.object_kind} <strong>{nameIn(one.changes)}</strong>
                <code class="muted small block">{one.object_id}</code>
              </>
            ),
          },
          {
            title: "Actions",
            shape: "end",
            cell: (one) => (
              <button type="button" class="button" onClick={() => setShown(one)} aria-label={`Details of ${one.action} ${one.object_kind}`}>
                Details
              </button>
            ),
          },
        ]}
        empty={
          <Empty title="Nothing matches">
            <p>Every change made with a key or in this console is kept here, without secrets.</p>
          </Empty>
        }
      />
      {shown && (
        <Dialog title={`${shown.action} ${shown.object_kind}`} onClose={() => setShown(null)}>
          <pre class="body-json" tabIndex={0}>
            {JSON.stringify(shown.changes, null, 2)}
          </pre>
        </Dialog>
      )}
    </section>
  );
}
