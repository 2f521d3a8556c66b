import { useState } from "preact/hooks";
import type { Scene } from "../../../shared/types";
import { Card, Copyable, Empty, Facts, Fault, Head, Loading, Moment, Notice, ShownOnce } from "../../kit/basics";
import { DeleteButton, Dialog } from "../../kit/dialog";
import { FormBox, problemOf, TextField, useForm } from "../../kit/form";
import { List } from "../../kit/list";
import { useList, useLoad } from "../../kit/load";
import { counted } from "../../logic/words";
import { go, to } from "../../router";
import { api, may } from "../../session";

interface ViewToken {
  token_id: string;
  name: string;
  expires_at: string | null;
  created_at: string;
}

type CreatedToken = ViewToken & { token: string; url: string };

/** A scene: what it holds, and who may look at it. */
export function ScenePage(props: { id: string }) {
  const path = `/v1/scenes/${props.id}`;
  const loaded = useLoad(props.id, () => api.get<Scene>(path));
  const [isRenamed, setRenamed] = useState(false);
  const scene = loaded.value;
  const back = { href: to("scenes"), label: "Scenes" };
  if (!scene) {
    return (
      <>
        <Head title="Scene" back={back} />
        {loaded.fault ? <Fault fault={loaded.fault} /> : <Loading />}
      </>
    );
  }
  const lost = scene.missing.asset_ids.length + scene.missing.widget_ids.length;
  const widgets = new Set(scene.nodes.flatMap((node) => node.widgets.map((one) => one.widget_id))).size;
  return (
    <>
      <Head title={scene.name} about={scene.description} back={back}>
        <a class="button primary" href={`/viewer/${scene.id}`} target="_blank" rel="noreferrer">
          Open in the viewer
        </a>
        <a class="button" href={`${path}/export`} download>
          Export zip
        </a>
        {may("write") && (
          <>
            <button type="button" class="button" onClick={() => setRenamed(true)}>
              Rename
            </button>
            <DeleteButton
              what={scene.name}
              consequence="Its view tokens end. Models and widgets stay."
              onDelete={async () => {
                await api.delete(path);
                go("scenes");
              }}
            />
          </>
        )}
      </Head>
      {lost > 0 && (
        <Notice tone="warning">
          The scene refers to {counted(scene.missing.asset_ids.length, "model")} and {counted(scene.missing.widget_ids.length, "widget")} that were deleted.
        </Notice>
      )}
      <Card title="Scene">
        <Facts
          facts={[
            ["Parts", String(scene.nodes.length)],
            ["Widgets", String(widgets)],
            ["Models", scene.assets.map((one) => one.name).join(", ") || "none, shapes alone"],
            ["Revision", String(scene.revision)],
            ["Changed", <Moment key="m" at={scene.updated_at} />],
          ]}
        />
      </Card>
      <Tokens path={`${path}/view-tokens`} />
      {isRenamed && (
        <Dialog title="Rename" onClose={() => setRenamed(false)}>
          <Rename
            scene={scene}
            onDone={async () => {
              await loaded.reload();
              setRenamed(false);
            }}
          />
        </Dialog>
      )}
    </>
  );
}

function Rename(props: { scene: Scene; onDone: () => Promise<void> }) {
  const { scene } = props;
  const form = useForm({ name: scene.name, description: scene.description }, async (values) => {
    await api.patch(`/v1/scenes/${scene.id}`, values);
    await props.onDone();
  });
  return (
    <FormBox form={form} action="Save" label="Rename">
      <TextField label="Name" value={form.values.name} onChange={(v) => form.set("name", v)} required autofocus problem={problemOf(form.fault, "name")} />
      <TextField label="Description" value={form.values.description} onChange={(v) => form.set("description", v)} problem={problemOf(form.fault, "description")} />
    </FormBox>
  );
}

function Tokens(props: { path: string }) {
  const list = useList<ViewToken>(props.path);
  const [made, setMade] = useState<CreatedToken | null>(null);
  const [isAsked, setAsked] = useState(false);
  return (
    <Card
      title="View tokens"
      about="A link for a wall screen or a colleague: it shows this scene and nothing else."
      actions={
        may("write") && (
          <button type="button" class="button primary" onClick={() => setAsked(true)}>
            New view token
          </button>
        )
      }
    >
      {made && (
        <ShownOnce what="view token" secret={made.token} onDone={() => setMade(null)}>
          <Copyable label="Link" text={made.url} />
        </ShownOnce>
      )}
      <List
        label="View tokens"
        list={list}
        id={(one) => one.token_id}
        columns={[
          { title: "Name", shape: "wide", cell: (one) => one.name || <span class="muted">no name</span> },
          { title: "Created", cell: (one) => <Moment at={one.created_at} /> },
          { title: "Expires", cell: (one) => <Moment at={one.expires_at} none="never" /> },
          {
            title: "Actions",
            shape: "end",
            cell: (one) =>
              may("write") && (
                <DeleteButton
                  label="Revoke"
                  what={one.name || "the token"}
                  consequence="Whoever looks with it sees nothing more, within a second."
                  onDelete={async () => {
                    await api.delete(`${props.path}/${one.token_id}`);
                    await list.reload();
                  }}
                />
              ),
          },
        ]}
        empty={
          <Empty title="Nobody else can look yet">
            <p>Make a token to give the scene to somebody without a key.</p>
          </Empty>
        }
      />
      {isAsked && (
        <Dialog title="New view token" onClose={() => setAsked(false)}>
          <NewToken
            path={props.path}
            onMade={async (token) => {
              setAsked(false);
              setMade(token);
              await list.reload();
            }}
          />
        </Dialog>
      )}
    </Card>
  );
}

function NewToken(props: { path: string; onMade: (made: CreatedToken) => Promise<void> }) {
  const form = useForm({ name: "", days: "" }, async ({ name, days }) => {
    const body = { name: name.trim(), expires_in_days: days.trim() ? Number(days) : null };
    await props.onMade(await api.post<CreatedToken>(props.path, body));
  });
  return (
    <FormBox form={form} action="Create token" label="New view token">
      <TextField label="Name" value={form.values.name} onChange={(v) => form.set("name", v)} autofocus placeholder="Screen at the gate" problem={problemOf(form.fault, "name")} />
      <TextField label="Expires after (days)" type="number" value={form.values.days} onChange={(v) => form.set("days", v)} placeholder="never" problem={problemOf(form.fault, "expires_in_days")} />
    </FormBox>
  );
}
