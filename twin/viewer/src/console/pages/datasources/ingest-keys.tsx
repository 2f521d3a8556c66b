import { useState } from "preact/hooks";
import { Card, Empty, Fault, Loading, Moment, ShownOnce } from "../../kit/basics";
import { DeleteButton, Dialog } from "../../kit/dialog";
import { FormBox, problemOf, SelectField, TextField, useForm } from "../../kit/form";
import { Table } from "../../kit/list";
import { useLoad } from "../../kit/load";
import { api, may } from "../../session";
import { Snippets } from "./snippets";
import type { DatasourceDetail, IngestKey } from "./types";

export const GRACES = [
  ["0", "ends at once"],
  ["3600", "works for another hour"],
  ["86400", "works for another day"],
  ["604800", "works for another week"],
] as const;

type Secret = { name: string; secret: string };

/** The keys that may send to a datasource. */
export function IngestKeys(props: { source: DatasourceDetail }) {
  const { source } = props;
  const path = `/v1/datasources/${source.id}/keys`;
  const loaded = useLoad(path, () => api.get<{ keys: IngestKey[]; total: number }>(path));
  const [shown, setShown] = useState<Secret | null>(null);
  const [asked, setAsked] = useState<IngestKey | "new" | null>(null);
  const done = async (secret: Secret) => {
    setAsked(null);
    setShown(secret);
    await loaded.reload();
  };
  return (
    <Card
      title="Ingest keys"
      about="They send readings to this datasource and can do nothing else. The URL never changes."
      actions={
        may("write") && (
          <button type="button" class="button primary" onClick={() => setAsked("new")}>
            New key
          </button>
        )
      }
    >
      {shown && (
        <ShownOnce what={`ingest key “${shown.name}”`} secret={shown.secret} onDone={() => setShown(null)}>
          <Snippets url={source.ingest_url} secret={shown.secret} example={source.example.json} />
        </ShownOnce>
      )}
      <Fault fault={loaded.fault} />
      {!loaded.value && !loaded.fault && <Loading />}
      {loaded.value?.total === 0 && (
        <Empty title="No key">
          <p>Nothing can be sent to this datasource until it has one.</p>
        </Empty>
      )}
      {loaded.value && loaded.value.total > 0 && (
        <Table
          label="Ingest keys"
          items={loaded.value.keys}
          id={(one) => one.key_id}
          columns={[
            { title: "Name", shape: "wide", cell: (one) => one.name },
            { title: "Id", cell: (one) => <code>{one.key_id}</code> },
            { title: "Created", cell: (one) => <Moment at={one.created_at} /> },
            { title: "Expires", cell: (one) => <Moment at={one.expires_at} none="never" /> },
            ...(may("write") ? [{ title: "Actions", shape: "end" as const, cell: (one: IngestKey) => <Acts one={one} /> }] : []),
          ]}
        />
      )}
      {asked === "new" && (
        <Dialog title="New ingest key" onClose={() => setAsked(null)}>
          <NewKey path={path} onDone={done} />
        </Dialog>
      )}
      {asked !== null && asked !== "new" && (
        <Dialog title={`Rotate “${asked.name}”`} onClose={() => setAsked(null)}>
          <Rotate path={path} rotated={asked} onDone={done} />
        </Dialog>
      )}
    </Card>
  );

  function Acts(acts: { one: IngestKey }) {
    return (
      <>
        <button type="button" class="button" onClick={() => setAsked(acts.one)} aria-label={`Rotate ${acts.one.name}`}>
          Rotate
        </button>
        <DeleteButton
          what={acts.one.name}
          consequence="Whoever sends with this key is refused within a second. Readings stay."
          onDelete={async () => {
            await api.delete(`${path}/${acts.one.key_id}`);
            await loaded.reload();
          }}
        />
      </>
    );
  }
}

function NewKey(props: { path: string; onDone: (secret: Secret) => Promise<void> }) {
  const form = useForm({ name: "", days: "" }, async ({ name, days }) => {
    const body = { name: name.trim(), expires_in_days: days.trim() ? Number(days) : null };
    const made = await api.post<IngestKey & { api_key: string }>(props.path, body);
    await props.onDone({ name: made.name, secret: made.api_key });
  });
  return (
    <FormBox form={form} action="Create key" label="New ingest key">
      <TextField label="Name" value={form.values.name} onChange={(v) => form.set("name", v)} required autofocus placeholder="Gateway hall 3" problem={problemOf(form.fault, "name")} />
      <TextField label="Expires after (days)" type="number" value={form.values.days} onChange={(v) => form.set("days", v)} placeholder="never" problem={problemOf(form.fault, "expires_in_days")} />
    </FormBox>
  );
}

function Rotate(props: { path: string; rotated: IngestKey; onDone: (secret: Secret) => Promise<void> }) {
  const form = useForm({ grace: "86400" }, async ({ grace }) => {
    const path = `${props.path}/${props.rotated.key_id}/rotate`;
    const made = await api.post<IngestKey & { api_key: string }>(path, { grace_seconds: Number(grace) });
    await props.onDone({ name: made.name, secret: made.api_key });
  });
  return (
    <FormBox form={form} action="Rotate" label="Rotate key">
      <p>The key gets a new secret. URL and name stay.</p>
      <SelectField label="The old secret" value={form.values.grace} onChange={(v) => form.set("grace", v)} options={GRACES} />
    </FormBox>
  );
}
