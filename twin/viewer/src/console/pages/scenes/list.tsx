import { useState } from "preact/hooks";
import type { Scene, SceneSummary } from "../../../shared/types";
import { ARCHIVE_TYPE } from "../../../shared/upload";
import { Empty, Moment, Notice } from "../../kit/basics";
import { Dialog } from "../../kit/dialog";
import { FileButton } from "../../kit/file";
import { FormBox, problemOf, TextField, useForm } from "../../kit/form";
import { List } from "../../kit/list";
import { useList } from "../../kit/load";
import { counted } from "../../logic/words";
import { go, to } from "../../router";
import { api, may, send } from "../../session";

interface Imported {
  scene: Scene;
  dropped_widget_ids: string[];
}

/** All scenes. */
export function SceneList() {
  const list = useList<SceneSummary>("/v1/scenes");
  const [isAsked, setAsked] = useState(false);
  const [made, setMade] = useState<Imported | null>(null);
  const bring = async (file: File, onPart: (part: number) => void) => {
    setMade(null);
    setMade(await send<Imported>(file, { path: "/v1/scenes/import", mediaType: ARCHIVE_TYPE, onPart }));
    await list.reload();
  };
  const create = (
    <button type="button" class="button primary" onClick={() => setAsked(true)}>
      New scene
    </button>
  );
  return (
    <section class="panel">
      {may("write") && (
        <div class="filters">
          {create}
          <FileButton label="Import a zip" accept=".zip" onFile={bring} />
        </div>
      )}
      {made && (
        <Notice tone={made.dropped_widget_ids.length > 0 ? "warning" : "ok"}>
          <a href={to("scenes", made.scene.id)}>{made.scene.name}</a> was made as a new scene.
          {made.dropped_widget_ids.length > 0 && ` Left out, because it is not here: ${counted(made.dropped_widget_ids.length, "widget")}.`}
        </Notice>
      )}
      <List
        label="Scenes"
        list={list}
        id={(one) => one.id}
        columns={[
          {
            title: "Name",
            shape: "wide",
            cell: (one) => (
              <>
                <a href={to("scenes", one.id)}>{one.name}</a>
                {one.description && <span class="muted small block">{one.description}</span>}
              </>
            ),
          },
          { title: "Parts", cell: (one) => <span class="numbers">{one.nodes_total}</span> },
          { title: "Widgets", cell: (one) => <span class="numbers">{one.widgets_total}</span> },
          { title: "Changed", cell: (one) => <Moment at={one.updated_at} /> },
          {
            title: "Actions",
            shape: "end",
            cell: (one) => (
              <a class="button" href={`/viewer/${one.id}`} target="_blank" rel="noreferrer" aria-label={`Open ${one.name}`}>
                Open
              </a>
            ),
          },
        ]}
        empty={
          <Empty title="No scene yet">
            <p>Make an empty scene and put machines and widgets into it in the viewer, or import one that was exported.</p>
          </Empty>
        }
      />
      {isAsked && (
        <Dialog title="New scene" onClose={() => setAsked(false)}>
          <NewScene />
        </Dialog>
      )}
    </section>
  );
}

function NewScene() {
  const form = useForm({ name: "", description: "" }, async ({ name, description }) => {
    const made = await api.post<Scene>("/v1/scenes", { name: name.trim(), description: description.trim(), nodes: [] });
    go("scenes", made.id);
  });
  return (
    <FormBox form={form} action="Create scene" label="New scene">
      <TextField label="Name" value={form.values.name} onChange={(v) => form.set("name", v)} required autofocus placeholder="Hall 3" problem={problemOf(form.fault, "name")} />
      <TextField label="Description" value={form.values.description} onChange={(v) => form.set("description", v)} problem={problemOf(form.fault, "description")} />
    </FormBox>
  );
}
