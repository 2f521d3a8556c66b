import { useState } from "preact/hooks";
import { Card, Copyable, Head, ShownOnce } from "../../kit/basics";
import { FormBox, problemOf, TextField, useForm } from "../../kit/form";
import { to } from "../../router";
import { api } from "../../session";
import { Snippets } from "./snippets";
import { Tail } from "./tail";
import type { CreatedDatasource } from "./types";
import { ZONES } from "./zones";

/** Create a datasource, then send it its first reading. */
export function Create() {
  const [made, setMade] = useState<CreatedDatasource | null>(null);
  return made ? <Made made={made} /> : <NewDatasource onMade={setMade} />;
}

function NewDatasource(props: { onMade: (made: CreatedDatasource) => void }) {
  const initial = { name: "", description: "", timezone: Intl.DateTimeFormat().resolvedOptions().timeZone, retention: "" };
  const form = useForm(initial, async (values) => {
    const body = {
      name: values.name.trim(),
      description: values.description.trim() || null,
      timezone: values.timezone.trim() || "UTC",
      retention_days: values.retention.trim() ? Number(values.retention) : null,
    };
    props.onMade(await api.post<CreatedDatasource>("/v1/datasources", body));
  });
  const { values, set, fault } = form;
  return (
    <>
      <Head title="New datasource" back={{ href: to("datasources"), label: "Datasources" }} />
      <Card>
        <FormBox form={form} action="Create datasource" label="New datasource" cancel={to("datasources")}>
          <TextField label="Name" value={values.name} onChange={(v) => set("name", v)} required autofocus placeholder="Pump line 1" problem={problemOf(fault, "name")} />
          <TextField label="Description" value={values.description} onChange={(v) => set("description", v)} problem={problemOf(fault, "description")} hint="Optional." />
          <div class="columns">
            <TextField label="Time zone" value={values.timezone} onChange={(v) => set("timezone", v)} choices={ZONES} problem={problemOf(fault, "timezone")} hint="For times that come without an offset, and for local days." />
            <TextField label="Keep readings for (days)" type="number" value={values.retention} onChange={(v) => set("retention", v)} placeholder="ever" problem={problemOf(fault, "retention_days")} hint="Empty: for ever." />
          </div>
        </FormBox>
      </Card>
    </>
  );
}

function Made(props: { made: CreatedDatasource }) {
  const { made } = props;
  return (
    <>
      <Head title={made.name} about="The datasource is ready. Copy its key, then send a first reading." back={{ href: to("datasources"), label: "Datasources" }}>
        <a class="button" href={to("datasources", made.id)}>
          To the datasource
        </a>
      </Head>
      <Card title="1. Address and key">
        <Copyable label="Ingestion URL" text={made.ingest_url} />
        <ShownOnce what="ingest key" secret={made.api_key} />
      </Card>
      <Card title="2. Send a reading">
        <Snippets url={made.ingest_url} secret={made.api_key} example={made.example.json} />
      </Card>
      <Card title="3. See it arrive">
        <Tail id={made.id} />
      </Card>
    </>
  );
}
