import { Badge, Empty, Moment } from "../../kit/basics";
import { DeleteButton, Dialog } from "../../kit/dialog";
import { FormBox, problemOf, SelectField, TextField, useForm } from "../../kit/form";
import { List } from "../../kit/list";
import { firstMany, useList, useLoad } from "../../kit/load";
import { useSourceNames } from "../../kit/source-choice";
import type { Rule } from "../../logic/rule";
import { api, may } from "../../session";

interface Silence {
  id: string;
  alert_id: string | null;
  datasource_id: string | null;
  device: string | null;
  starts_at: string;
  until: string;
  comment: string | null;
  created_by: string;
  state: "pending" | "active" | "expired";
}

const LENGTHS = [
  ["900", "15 minutes"],
  ["3600", "1 hour"],
  ["14400", "4 hours"],
  ["28800", "8 hours: a shift"],
  ["86400", "1 day"],
  ["604800", "1 week"],
] as const;

/** Hold back what receivers would be told; `device` null: of all devices. */
export function SilenceDialog(props: { rule: Rule; device: string | null; onClose: () => void; onDone: () => Promise<void> }) {
  const form = useForm({ seconds: "3600", comment: "" }, async ({ seconds, comment }) => {
    const until = new Date(Date.now() + Number(seconds) * 1000).toISOString();
    await api.post(`/v1/alerts/${props.rule.id}/silence`, { until, device: props.device, comment: comment.trim() || null });
    await props.onDone();
    props.onClose();
  });
  return (
    <Dialog title={`Silence ${props.rule.name}`} onClose={props.onClose}>
      <FormBox form={form} action="Silence" label="Silence" cancel={props.onClose}>
        <p class="muted">Nobody is told of it meanwhile. What still holds at the end is told then.</p>
        <SelectField label="For" value={form.values.seconds} onChange={(v) => form.set("seconds", v)} options={LENGTHS} problem={problemOf(form.fault, "until")} />
        <TextField label="Why" value={form.values.comment} onChange={(v) => form.set("comment", v)} placeholder="Bearing is being changed" problem={problemOf(form.fault, "comment")} />
      </FormBox>
    </Dialog>
  );
}

/** Silences that last, wait or are over. */
export function Silences() {
  const list = useList<Silence>("/v1/silences");
  const rules = useLoad("rule names", () => firstMany<Rule>("/v1/alerts"));
  const sourceName = useSourceNames();
  const ruleName = (id: string) => rules.value?.find((one) => one.id === id)?.name ?? "a deleted rule";
  const covers = (one: Silence) =>
    [one.alert_id && ruleName(one.alert_id), one.datasource_id && sourceName(one.datasource_id), one.device && `device ${one.device}`].filter(Boolean).join(", ");
  return (
    <section class="panel">
      <List
        label="Silences"
        list={list}
        id={(one) => one.id}
        columns={[
          {
            title: "Covers",
            shape: "wide",
            cell: (one) => (
              <>
                {covers(one)}
                {one.comment && <span class="muted small block">{one.comment}</span>}
              </>
            ),
          },
          { title: "State", cell: (one) => <Badge tone={one.state === "active" ? "warning" : ""}>{one.state}</Badge> },
          { title: "From", cell: (one) => <Moment at={one.starts_at} /> },
          { title: "Until", cell: (one) => <Moment at={one.until} /> },
          { title: "By", cell: (one) => one.created_by },
          {
            title: "Actions",
            shape: "end",
            cell: (one) =>
              may("write") &&
              one.state !== "expired" && (
                <DeleteButton
                  label="End"
                  what="the silence"
                  consequence="What it held back and still holds true is told now."
                  onDelete={async () => {
                    await api.delete(`/v1/silences/${one.id}`);
                    await list.reload();
                  }}
                />
              ),
          },
        ]}
        empty={
          <Empty title="Nothing is silenced">
            <p>During maintenance, silence an alert where it fires or on its rule: receivers are not told until it ends.</p>
          </Empty>
        }
      />
    </section>
  );
}
