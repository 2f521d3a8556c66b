import { useState } from "preact/hooks";
import { Badge, Card, Fault, Loading, Moment, ShownOnce, When } from "../../kit/basics";
import { ActButton, DeleteButton, Dialog } from "../../kit/dialog";
import { ChecksField, FormBox, problemOf, SelectField, TextField, useForm } from "../../kit/form";
import { Pager, Table } from "../../kit/list";
import { PAGE_SIZE, useLoad } from "../../kit/load";
import { api, session } from "../../session";
import { GRACES } from "../datasources/ingest-keys";

interface Key {
  key_id: string;
  name: string;
  scopes: string[];
  environment: string;
  is_active: boolean;
  rate_limit: number | null;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  usage_count: number;
}

const SCOPES = [
  ["read", "read"],
  ["write", "write"],
  ["admin", "admin: keys and audit too"],
] as const;

type Asked = { edit: Key } | { rotate: Key } | "new" | null;
type Secret = { name: string; secret: string };

/** The organisation's management keys. */
export function ManagementKeys() {
  const [offset, setOffset] = useState(0);
  const loaded = useLoad(`keys ${offset}`, () => api.get<{ keys: Key[]; total: number }>("/v1/keys", { limit: PAGE_SIZE, offset }));
  const [asked, setAsked] = useState<Asked>(null);
  const [secret, setSecret] = useState<Secret | null>(null);
  const done = async (made: Secret | null) => {
    setAsked(null);
    if (made) setSecret(made);
    await loaded.reload();
  };
  return (
    <Card
      title="Management keys"
      about="They use the API and sign in here. Give every person and program one of its own."
      actions={
        <button type="button" class="button primary" onClick={() => setAsked("new")}>
          New key
        </button>
      }
    >
      {secret && <ShownOnce what={`management key “${secret.name}”`} secret={secret.secret} onDone={() => setSecret(null)} />}
      <Fault fault={loaded.fault} />
      {!loaded.value && !loaded.fault && <Loading />}
      {loaded.value && (
        <>
          <Table
            label="Management keys"
            items={loaded.value.keys}
            id={(one) => one.key_id}
            columns={[
              {
                title: "Name",
                shape: "wide",
                cell: (one) => (
                  <>
                    <strong>{one.name}</strong>
                    {one.key_id === session.value?.key_id && <Badge tone="info">this session</Badge>}
                    {!one.is_active && <Badge tone="warning">disabled</Badge>}
                    {one.environment === "test" && <Badge tone="warning">test</Badge>}
                    <code class="muted small block">{one.key_id}</code>
                  </>
                ),
              },
              { title: "Scopes", cell: (one) => one.scopes.join(", ") },
              { title: "Per hour", cell: (one) => (one.rate_limit === null ? "no limit" : one.rate_limit.toLocaleString("en")) },
              { title: "Expires", cell: (one) => <Moment at={one.expires_at} none="never" /> },
              {
                title: "Used",
                cell: (one) => (
                  <>
                    <When at={one.last_used_at} /> <span class="muted small block nowrap">{one.usage_count.toLocaleString("en")} times</span>
                  </>
                ),
              },
              { title: "Actions", shape: "end", cell: (one) => <Acts of={one} ask={setAsked} reload={loaded.reload} /> },
            ]}
          />
          <Pager offset={offset} total={loaded.value.total} setOffset={setOffset} />
        </>
      )}
      {asked === "new" && (
        <Dialog title="New management key" onClose={() => setAsked(null)}>
          <NewKey onDone={done} />
        </Dialog>
      )}
      {asked && asked !== "new" && "edit" in asked && (
        <Dialog title={`Edit “${asked.edit.name}”`} onClose={() => setAsked(null)}>
          <EditKey edited={asked.edit} onDone={done} />
        </Dialog>
      )}
      {asked && asked !== "new" && "rotate" in asked && (
        <Dialog title={`Rotate “${asked.rotate.name}”`} onClose={() => setAsked(null)}>
          <Rotate rotated={asked.rotate} onDone={done} />
        </Dialog>
      )}
    </Card>
  );
}

function Acts(props: { of: Key; ask: (asked: Asked) => void; reload: () => Promise<void> }) {
  const { of } = props;
  const path = `/v1/keys/${of.key_id}`;
  return (
    <>
      <button type="button" class="button" onClick={() => props.ask({ edit: of })} aria-label={`Edit ${of.name}`}>
        Edit
      </button>
      <button type="button" class="button" onClick={() => props.ask({ rotate: of })} aria-label={`Rotate ${of.name}`}>
        Rotate
      </button>
      <ActButton
        label={`${of.is_active ? "Disable" : "Enable"} ${of.name}`}
        act={async () => {
          await api.patch(path, { is_active: !of.is_active });
          await props.reload();
        }}
      >
        {of.is_active ? "Disable" : "Enable"}
      </ActButton>
      <DeleteButton
        what={of.name}
        consequence="It stops working within a second, and whoever signed in with it is signed out."
        onDelete={async () => {
          await api.delete(path);
          await props.reload();
        }}
      />
    </>
  );
}

const numberOf = (text: string) => (text.trim() === "" ? null : Number(text));

function NewKey(props: { onDone: (made: Secret) => Promise<void> }) {
  const initial = { name: "", scopes: ["read", "write"], environment: session.value?.environment ?? "live", limit: "1000", days: "" };
  const form = useForm(initial, async (values) => {
    const body = {
      name: values.name.trim(),
      scopes: values.scopes,
      environment: values.environment,
      rate_limit: numberOf(values.limit),
      expires_in_days: numberOf(values.days),
    };
    const made = await api.post<Key & { api_key: string }>("/v1/keys", body);
    await props.onDone({ name: made.name, secret: made.api_key });
  });
  const { values, set, fault } = form;
  return (
    <FormBox form={form} action="Create key" label="New management key">
      <TextField label="Name" value={values.name} onChange={(v) => set("name", v)} required autofocus placeholder="Reporting" problem={problemOf(fault, "name")} />
      <ChecksField label="Scopes" options={SCOPES} chosen={values.scopes} onChange={(v) => set("scopes", v)} problem={problemOf(fault, "scopes")} />
      <div class="columns">
        <SelectField label="Environment" value={values.environment} onChange={(v) => set("environment", v as "live")} options={[["live", "live"], ["test", "test: data of its own"]]} problem={problemOf(fault, "environment")} />
        <TextField label="Requests per hour" type="number" value={values.limit} onChange={(v) => set("limit", v)} placeholder="no limit" problem={problemOf(fault, "rate_limit")} />
      </div>
      <TextField label="Expires after (days)" type="number" value={values.days} onChange={(v) => set("days", v)} placeholder="never" problem={problemOf(fault, "expires_in_days")} />
    </FormBox>
  );
}

function EditKey(props: { edited: Key; onDone: (made: null) => Promise<void> }) {
  const { edited } = props;
  const initial = { name: edited.name, scopes: edited.scopes, limit: edited.rate_limit === null ? "" : String(edited.rate_limit), days: "" };
  const form = useForm(initial, async (values) => {
    const body = { name: values.name.trim(), scopes: values.scopes, rate_limit: numberOf(values.limit) };
    const more = values.days.trim() ? { expires_in_days: Number(values.days) } : {};
    await api.patch(`/v1/keys/${edited.key_id}`, { ...body, ...more });
    await props.onDone(null);
  });
  const { values, set, fault } = form;
  return (
    <FormBox form={form} action="Save changes" label="Edit key">
      <TextField label="Name" value={values.name} onChange={(v) => set("name", v)} required problem={problemOf(fault, "name")} />
      <ChecksField label="Scopes" options={SCOPES} chosen={values.scopes} onChange={(v) => set("scopes", v)} problem={problemOf(fault, "scopes")} />
      <div class="columns">
        <TextField label="Requests per hour" type="number" value={values.limit} onChange={(v) => set("limit", v)} placeholder="no limit" problem={problemOf(fault, "rate_limit")} />
        <TextField label="Expires in (days from now)" type="number" value={values.days} onChange={(v) => set("days", v)} placeholder="unchanged" problem={problemOf(fault, "expires_in_days")} />
      </div>
    </FormBox>
  );
}

function Rotate(props: { rotated: Key; onDone: (made: Secret) => Promise<void> }) {
  const form = useForm({ grace: "86400" }, async ({ grace }) => {
    const made = await api.post<Key & { api_key: string }>(`/v1/keys/${props.rotated.key_id}/rotate`, { grace_seconds: Number(grace) });
    await props.onDone({ name: made.name, secret: made.api_key });
  });
  return (
    <FormBox form={form} action="Rotate" label="Rotate key">
      <p>The key gets a new secret; name, scopes and limits stay.</p>
      <SelectField label="The old secret" value={form.values.grace} onChange={(v) => form.set("grace", v)} options={GRACES} />
    </FormBox>
  );
}
