import { useState } from "preact/hooks";
import { Badge, Card, Empty, Facts, Fault, Head, Loading, Moment, Notice, When } from "../kit/basics";
import { ActButton, DeleteButton, Dialog } from "../kit/dialog";
import { FormBox, problemOf, SelectField, TextField, useForm } from "../kit/form";
import { List } from "../kit/list";
import { useList, useLoad } from "../kit/load";
import { deliveryPause, SOON_MS } from "../logic/lists";
import { go, to } from "../router";
import { api, may } from "../session";

interface Webhook {
  id: string;
  name: string;
  type: "webhook" | "alertmanager" | "email";
  url: string | null;
  recipients: string[] | null;
  has_secret: boolean;
  username: string | null;
  signature: string;
  group_by: string[] | null;
  group_wait_seconds: number;
  repeat_seconds: number | null;
  circuit: { state: string; failures: number; open_until: string | null };
}

interface Delivery {
  delivery_id: string;
  kind: string;
  alerts: number;
  state: "pending" | "delivered" | "failed";
  attempts: number;
  last_status: number | null;
  last_error: string | null;
  created_at: string;
  next_attempt_at: string | null;
  finished_at: string | null;
  body: unknown;
}

const TONES = { pending: "info", delivered: "ok", failed: "critical" } as const;
const BACK = { href: to("webhooks"), label: "Webhooks" };

/** The pages below #/webhooks. */
export function Webhooks(props: { rest: string[] }) {
  const [id] = props.rest;
  if (id === "new") return <Edit hook={null} />;
  return id ? <One key={id} id={id} page={props.rest[1] ?? ""} /> : <All />;
}

function Circuit(props: { hook: Webhook }) {
  const { circuit } = props.hook;
  if (circuit.state === "closed") return <Badge tone="ok">in order</Badge>;
  return (
    <Badge tone="critical">
      failed {circuit.failures} times, paused
    </Badge>
  );
}

function All() {
  const list = useList<Webhook>("/v1/webhooks");
  return (
    <>
      <Head title="Webhooks" about="Who is told when an alert fires, changes or ends: an address, an Alertmanager, or people by e-mail.">
        {may("write") && (
          <a class="button primary" href={to("webhooks", "new")}>
            New webhook
          </a>
        )}
      </Head>
      <section class="panel">
        <List
          label="Webhooks"
          list={list}
          id={(one) => one.id}
          columns={[
            {
              title: "Name",
              shape: "wide",
              cell: (one) => (
                <>
                  <a href={to("webhooks", one.id)}>{one.name}</a>
                  <span class="muted small block">{one.url ?? one.recipients?.join(", ")}</span>
                </>
              ),
            },
            { title: "Type", cell: (one) => one.type },
            { title: "Secret", cell: (one) => (one.has_secret ? "yes" : "no") },
            { title: "State", cell: (one) => <Circuit hook={one} /> },
          ]}
          empty={
            <Empty title="No webhook yet">
              <p>A webhook is where alerts go. Make one, test it, then name it in an alert rule.</p>
              {may("write") && (
                <a class="button primary" href={to("webhooks", "new")}>
                  Make a webhook
                </a>
              )}
            </Empty>
          }
        />
      </section>
    </>
  );
}

const listOf = (text: string) => text.split(/[,\s]+/).filter(Boolean);
const numberOf = (text: string) => (text.trim() === "" ? null : Number(text));

function Edit(props: { hook: Webhook | null; onSaved?: () => Promise<void> }) {
  const { hook } = props;
  const initial = {
    name: hook?.name ?? "",
    type: hook?.type ?? "webhook",
    url: hook?.url ?? "",
    recipients: hook?.recipients?.join(", ") ?? "",
    secret: "",
    username: hook?.username ?? "",
    signature: hook?.signature ?? "twinfeed",
    group: hook?.group_by ? (hook.group_by.length > 0 ? "labels" : "all") : "each",
    group_by: hook?.group_by?.join(", ") ?? "",
    wait: hook?.group_wait_seconds ? String(hook.group_wait_seconds) : "",
    repeat: hook?.repeat_seconds ? String(hook.repeat_seconds) : "",
  };
  const form = useForm(initial, async (values) => {
    const isMail = values.type === "email";
    const isHook = values.type === "webhook";
    const isManager = values.type === "alertmanager";
    const body = {
      name: values.name.trim(),
      ...(isMail ? { recipients: listOf(values.recipients) } : { url: values.url.trim() }),
      ...(!isMail && values.secret ? { secret: values.secret } : {}),
      ...(isManager ? { username: values.username.trim() || null } : {}),
      ...(isHook && values.signature !== (hook?.signature ?? "twinfeed") ? { signature: values.signature } : {}),
      ...(isManager ? {} : { group_by: values.group === "each" ? null : values.group === "all" ? [] : listOf(values.group_by), group_wait_seconds: numberOf(values.wait) ?? 0 }),
      repeat_seconds: numberOf(values.repeat),
    };
    if (hook) {
      await api.patch(`/v1/webhooks/${hook.id}`, body);
      await props.onSaved?.();
      go("webhooks", hook.id);
    } else {
      const made = await api.post<Webhook>("/v1/webhooks", { type: values.type, ...body });
      go("webhooks", made.id);
    }
  });
  const { values, set, fault } = form;
  return (
    <>
      <Head title={hook ? `Edit ${hook.name}` : "New webhook"} back={hook ? { href: to("webhooks", hook.id), label: hook.name } : BACK} />
      <Card>
        <FormBox form={form} action={hook ? "Save changes" : "Create webhook"} label="Webhook" cancel={hook ? to("webhooks", hook.id) : to("webhooks")}>
          <TextField label="Name" value={values.name} onChange={(v) => set("name", v)} required autofocus placeholder="Shift leader" problem={problemOf(fault, "name")} />
          {!hook && (
            <SelectField label="Type" value={values.type} onChange={(v) => set("type", v as Webhook["type"])} options={[["webhook", "Webhook: a POST to an address"], ["alertmanager", "Prometheus Alertmanager"], ["email", "E-mail"]]} />
          )}
          {values.type === "email" ? (
            <TextField label="Recipients" value={values.recipients} onChange={(v) => set("recipients", v)} required placeholder="shift@example.com, lead@example.com" problem={problemOf(fault, "recipients")} />
          ) : (
            <TextField label="URL" type="url" value={values.url} onChange={(v) => set("url", v)} required placeholder={values.type === "alertmanager" ? "http://am.example.com:9093" : "https://ops.example.com/hook"} problem={problemOf(fault, "url")} />
          )}
          {values.type === "webhook" && (
            <div class="columns">
              <TextField
                label="Secret"
                type="password"
                value={values.secret}
                onChange={(v) => set("secret", v)}
                placeholder={hook?.has_secret ? "unchanged" : "none"}
                problem={problemOf(fault, "secret")}
                hint="Signs every call, so that the receiver knows it is genuine. Never shown again."
              />
              <SelectField label="Signature" value={values.signature} onChange={(v) => set("signature", v)} options={[["twinfeed", "X-Twinfeed-Signature"], ["grafana", "as Grafana signs"]]} problem={problemOf(fault, "signature")} />
            </div>
          )}
          {values.type === "alertmanager" && (
            <div class="columns">
              <TextField label="User" value={values.username} onChange={(v) => set("username", v)} placeholder="none" problem={problemOf(fault, "username")} hint="Leave it empty to send a bearer token." />
              <TextField
                label={values.username.trim() ? "Password" : "Token"}
                type="password"
                value={values.secret}
                onChange={(v) => set("secret", v)}
                placeholder={hook?.has_secret ? "unchanged" : "none"}
                problem={problemOf(fault, "secret")}
                hint="What the Alertmanager, or the proxy in front of it, asks for. Never shown again."
              />
            </div>
          )}
          <div class="columns">
            {values.type !== "alertmanager" && <SelectField label="A call carries" value={values.group} onChange={(v) => set("group", v)} options={[["each", "one alert"], ["all", "all alerts together"], ["labels", "alerts with equal labels"]]} problem={problemOf(fault, "group_by")} />}
            {values.group === "labels" && <TextField label="Labels" value={values.group_by} onChange={(v) => set("group_by", v)} placeholder="alertname, device" />}
            {values.type !== "alertmanager" && values.group !== "each" && <TextField label="Wait for more (seconds)" type="number" value={values.wait} onChange={(v) => set("wait", v)} placeholder="0" problem={problemOf(fault, "group_wait_seconds")} />}
            <TextField label="Tell again every (seconds)" type="number" value={values.repeat} onChange={(v) => set("repeat", v)} placeholder={values.type === "alertmanager" ? "60" : "never"} problem={problemOf(fault, "repeat_seconds")} hint="While the alert fires and nobody has acknowledged it." />
          </div>
        </FormBox>
      </Card>
    </>
  );
}

/** What an Alertmanager is sent to let us in. */
function credentialOf(hook: Webhook): string {
  if (hook.username !== null) return `the user ${hook.username} and a password`;
  return hook.has_secret ? "a bearer token" : "nothing";
}

/** Which alerts come in one call. */
function carriedBy(hook: Webhook): string {
  if (hook.type === "alertmanager") return "all alerts that fire";
  if (hook.group_by === null) return "one alert";
  return hook.group_by.length > 0 ? `alerts with equal ${hook.group_by.join(", ")}` : "all alerts together";
}

function One(props: { id: string; page: string }) {
  const { id } = props;
  const loaded = useLoad(id, () => api.get<Webhook>(`/v1/webhooks/${id}`));
  const [tested, setTested] = useState<Delivery | null>(null);
  const hook = loaded.value;
  if (!hook) {
    return (
      <>
        <Head title="Webhook" back={BACK} />
        {loaded.fault ? <Fault fault={loaded.fault} /> : <Loading />}
      </>
    );
  }
  if (props.page === "edit") return <Edit hook={hook} onSaved={loaded.reload} />;
  return (
    <>
      <Head title={hook.name} back={BACK}>
        {may("write") && (
          <>
            <ActButton
              tone="primary"
              act={async () => {
                setTested(null);
                setTested(await api.post<Delivery>(`/v1/webhooks/${id}/test`));
                await loaded.reload();
              }}
            >
              Send a test
            </ActButton>
            <a class="button" href={to("webhooks", id, "edit")}>
              Edit
            </a>
            <DeleteButton
              what={hook.name}
              consequence="Its deliveries go with it, and alert rules that name it tell it nothing any more."
              onDelete={async () => {
                await api.delete(`/v1/webhooks/${id}`);
                go("webhooks");
              }}
            />
          </>
        )}
      </Head>
      {tested && (
        <Notice tone={tested.state === "delivered" ? "ok" : "critical"}>
          {tested.state === "delivered" ? `The test arrived: the receiver answered ${tested.last_status ?? "well"}.` : `The test did not arrive: ${tested.last_error ?? `status ${tested.last_status}`}`}
        </Notice>
      )}
      <Card title="Receiver">
        <Facts
          facts={[
            ["Type", hook.type],
            [hook.type === "email" ? "Recipients" : "URL", <code key="to">{hook.url ?? hook.recipients?.join(", ")}</code>],
            hook.type === "alertmanager" ? ["Sent with", credentialOf(hook)] : ["Signed", hook.has_secret ? `yes, ${hook.signature}` : "no"],
            ["A call carries", carriedBy(hook)],
            ["Told again", hook.repeat_seconds ? `every ${hook.repeat_seconds} s` : "never"],
            ["State", <Circuit key="c" hook={hook} />],
          ]}
        />
      </Card>
      <Deliveries id={id} />
    </>
  );
}


function Deliveries(props: { id: string }) {
  const [status, setStatus] = useState("");
  const [everyMs, setEvery] = useState(SOON_MS);
  const path = `/v1/webhooks/${props.id}/deliveries`;
  const list = useList<Delivery>(path, status ? { status } : {}, everyMs);
  const pause = deliveryPause(list.value?.items ?? [], Date.now());
  if (pause !== everyMs) setEvery(pause);
  const [shown, setShown] = useState<Delivery | null>(null);
  return (
    <section class="panel" aria-label="Deliveries">
      <div class="filters">
        <h2>Deliveries</h2>
        <SelectField label="State" value={status} onChange={setStatus} options={[["", "all"], ["pending", "pending"], ["delivered", "delivered"], ["failed", "failed: dead letters"]]} />
      </div>
      <List
        label="Deliveries"
        list={list}
        id={(one) => one.delivery_id}
        columns={[
          { title: "Made", cell: (one) => <Moment at={one.created_at} /> },
          { title: "Carries", cell: (one) => (one.kind === "test" ? "a test" : `${one.alerts} ${one.kind === "repeat" ? "repeated" : one.alerts === 1 ? "alert" : "alerts"}`) },
          { title: "State", cell: (one) => <Badge tone={TONES[one.state]}>{one.state}</Badge> },
          {
            title: "Last answer",
            shape: "wide",
            cell: (one) => (
              <>
                {one.last_status ?? ""} {one.last_error && <span class="small">{one.last_error}</span>}
                <span class="muted small block">
                  {one.attempts} {one.attempts === 1 ? "attempt" : "attempts"}
                  {one.state === "pending" && one.next_attempt_at && (
                    <>
                      , next at <Moment at={one.next_attempt_at} />
                    </>
                  )}
                  {one.finished_at && (
                    <>
                      , ended <When at={one.finished_at} />
                    </>
                  )}
                </span>
              </>
            ),
          },
          {
            title: "Actions",
            shape: "end",
            cell: (one) => (
              <>
                <button type="button" class="button" onClick={() => setShown(one)} aria-label={`Body of ${one.delivery_id}`}>
                  Body
                </button>
                {may("write") && one.state !== "pending" && (
                  <ActButton
                    act={async () => {
                      await api.post(`${path}/${one.delivery_id}/resend`);
                      await list.reload();
                    }}
                  >
                    Re-send
                  </ActButton>
                )}
              </>
            ),
          },
        ]}
        empty={
          <Empty title={status ? "None in this state" : "Nothing was sent yet"}>
            <p>{status ? "Choose another state above." : "Send a test, or name this webhook in an alert rule."}</p>
          </Empty>
        }
      />
      {shown && (
        <Dialog title="What is sent" onClose={() => setShown(null)}>
          <p class="small muted">
            X-Twinfeed-Delivery: <code>{shown.delivery_id}</code>
          </p>
          <pre class="body-json" tabIndex={0}>
            {JSON.stringify(shown.body, null, 2)}
          </pre>
        </Dialog>
      )}
    </section>
  );
}
