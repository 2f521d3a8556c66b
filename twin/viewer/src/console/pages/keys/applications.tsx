import { useState } from "preact/hooks";
import { Badge, Card, Empty, Moment, ShownOnce } from "../../kit/basics";
import { ActButton, DeleteButton, Dialog } from "../../kit/dialog";
import { FormBox, problemOf, TextField, useForm } from "../../kit/form";
import { List } from "../../kit/list";
import { useList } from "../../kit/load";
import { api } from "../../session";

interface Application {
  id: string;
  name: string;
  per_minute: number | null;
  per_day: number | null;
  is_active: boolean;
  created_at: string;
}

type Created = Application & { app_token: string };

/** Programs with limits of their own. */
export function Applications() {
  const list = useList<Application>("/v1/applications");
  const [asked, setAsked] = useState<Application | "new" | null>(null);
  const [made, setMade] = useState<Created | null>(null);
  const limit = (value: number | null) => (value === null ? "no limit" : value.toLocaleString("en"));
  const done = async (created: Created | null) => {
    setAsked(null);
    if (created) setMade(created);
    await list.reload();
  };
  return (
    <Card
      title="Applications"
      about="A program sends its token as X-App-Token beside a management key, and has limits of its own."
      actions={
        <button type="button" class="button primary" onClick={() => setAsked("new")}>
          New application
        </button>
      }
    >
      {made && <ShownOnce what={`application token “${made.name}”`} secret={made.app_token} onDone={() => setMade(null)} />}
      <List
        label="Applications"
        list={list}
        id={(one) => one.id}
        columns={[
          {
            title: "Name",
            shape: "wide",
            cell: (one) => (
              <>
                <strong>{one.name}</strong> {!one.is_active && <Badge tone="warning">disabled</Badge>}
              </>
            ),
          },
          { title: "Per minute", cell: (one) => limit(one.per_minute) },
          { title: "Per day", cell: (one) => limit(one.per_day) },
          { title: "Created", cell: (one) => <Moment at={one.created_at} /> },
          {
            title: "Actions",
            shape: "end",
            cell: (one) => (
              <>
                <button type="button" class="button" onClick={() => setAsked(one)} aria-label={`Edit ${one.name}`}>
                  Edit
                </button>
                <ActButton
                  act={async () => {
                    setMade(await api.post<Created>(`/v1/applications/${one.id}/rotate`, { grace_seconds: 86_400 }));
                    await list.reload();
                  }}
                  label={`Rotate ${one.name}; the old token works for another day`}
                >
                  Rotate
                </ActButton>
                <ActButton
                  label={`${one.is_active ? "Disable" : "Enable"} ${one.name}`}
                  act={async () => {
                    await api.patch(`/v1/applications/${one.id}`, { is_active: !one.is_active });
                    await list.reload();
                  }}
                >
                  {one.is_active ? "Disable" : "Enable"}
                </ActButton>
                <DeleteButton
                  what={one.name}
                  consequence="Its token stops working within a second."
                  onDelete={async () => {
                    await api.delete(`/v1/applications/${one.id}`);
                    await list.reload();
                  }}
                />
              </>
            ),
          },
        ]}
        empty={
          <Empty title="No application yet">
            <p>Register one to limit a program by itself, or where the organisation asks for an application token.</p>
          </Empty>
        }
      />
      {asked && (
        <Dialog title={asked === "new" ? "New application" : `Edit “${asked.name}”`} onClose={() => setAsked(null)}>
          <Edit of={asked === "new" ? null : asked} onDone={done} />
        </Dialog>
      )}
    </Card>
  );
}

function Edit(props: { of: Application | null; onDone: (made: Created | null) => Promise<void> }) {
  const { of } = props;
  const shown = (value: number | null) => (value === null ? "" : String(value));
  const initial = { name: of?.name ?? "", minute: of ? shown(of.per_minute) : "120", day: of ? shown(of.per_day) : "10000" };
  const form = useForm(initial, async ({ name, minute, day }) => {
    const body = { name: name.trim(), per_minute: minute.trim() ? Number(minute) : null, per_day: day.trim() ? Number(day) : null };
    if (of) {
      await api.patch(`/v1/applications/${of.id}`, body);
      await props.onDone(null);
    } else {
      await props.onDone(await api.post<Created>("/v1/applications", body));
    }
  });
  return (
    <FormBox form={form} action={of ? "Save changes" : "Create application"} label="Application">
      <TextField label="Name" value={form.values.name} onChange={(v) => form.set("name", v)} required autofocus problem={problemOf(form.fault, "name")} />
      <div class="columns">
        <TextField label="Requests per minute" type="number" value={form.values.minute} onChange={(v) => form.set("minute", v)} placeholder="no limit" problem={problemOf(form.fault, "per_minute")} />
        <TextField label="Requests per day" type="number" value={form.values.day} onChange={(v) => form.set("day", v)} placeholder="no limit" problem={problemOf(form.fault, "per_day")} />
      </div>
    </FormBox>
  );
}
