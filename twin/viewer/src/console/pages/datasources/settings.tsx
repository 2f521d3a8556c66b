import { useState } from "preact/hooks";
import { Card, Facts, Moment, Notice } from "../../kit/basics";
import { DeleteButton } from "../../kit/dialog";
import { FormBox, problemOf, TextField, useForm } from "../../kit/form";
import { counted } from "../../logic/words";
import { go } from "../../router";
import { api } from "../../session";
import type { DatasourceDetail } from "./types";
import { ZONES } from "./zones";

/** What of a datasource can be changed. */
export function Settings(props: { source: DatasourceDetail; reload: () => Promise<void> }) {
  const { source } = props;
  const path = `/v1/datasources/${source.id}`;
  const [isSaved, setSaved] = useState(false);
  const initial = {
    name: source.name,
    description: source.description ?? "",
    timezone: source.timezone,
    retention: source.retention_days === null ? "" : String(source.retention_days),
  };
  const form = useForm(initial, async (values) => {
    setSaved(false);
    await api.patch(path, {
      name: values.name.trim(),
      description: values.description.trim() || null,
      timezone: values.timezone.trim(),
      retention_days: values.retention.trim() ? Number(values.retention) : null,
    });
    await props.reload();
    setSaved(true);
  });
  const { values, set, fault } = form;
  return (
    <>
      <Card title="Settings">
        <FormBox form={form} action="Save changes" label="Settings">
          <TextField label="Name" value={values.name} onChange={(v) => set("name", v)} required problem={problemOf(fault, "name")} />
          <TextField label="Description" value={values.description} onChange={(v) => set("description", v)} problem={problemOf(fault, "description")} />
          <div class="columns">
            <TextField label="Time zone" value={values.timezone} onChange={(v) => set("timezone", v)} choices={ZONES} problem={problemOf(fault, "timezone")} />
            <TextField label="Keep readings for (days)" type="number" value={values.retention} onChange={(v) => set("retention", v)} placeholder="ever" problem={problemOf(fault, "retention_days")} hint="Older readings are deleted. Empty: kept for ever." />
          </div>
          {isSaved && !fault && <Notice tone="ok">Saved.</Notice>}
        </FormBox>
      </Card>
      <Card title="About">
        <Facts
          facts={[
            ["Id", <code key="id">{source.id}</code>],
            ["Environment", source.environment],
            ["Created", <Moment key="at" at={source.created_at} />],
            ["Readings", source.readings_total.toLocaleString("en")],
          ]}
        />
      </Card>
      <Card title="Delete" about="The datasource goes with all its readings, its keys and its alert rules. This cannot be undone.">
        <DeleteButton
          label="Delete datasource"
          what={source.name}
          consequence={`${counted(source.readings_total, "reading")} will be deleted, and whoever sends to its URL is refused.`}
          name={source.name}
          onDelete={async () => {
            await api.delete(path);
            go("datasources");
          }}
        />
      </Card>
    </>
  );
}
