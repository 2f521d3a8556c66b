import { bytes } from "../../../shared/format";
import type { Asset } from "../../../shared/types";
import { MODEL_TYPE, modelName } from "../../../shared/upload";
import { Empty, Moment } from "../../kit/basics";
import { DeleteButton } from "../../kit/dialog";
import { FileButton } from "../../kit/file";
import { List } from "../../kit/list";
import { useList } from "../../kit/load";
import { api, may, send } from "../../session";

/** The 3D models that scenes are made of. */
export function Assets() {
  const list = useList<Asset>("/v1/assets");
  const upload = async (file: File, onPart: (part: number) => void) => {
    await send(file, { path: "/v1/assets", query: { name: modelName(file.name) }, mediaType: MODEL_TYPE, onPart });
    await list.reload();
  };
  return (
    <section class="panel">
      {may("write") && (
        <div class="filters">
          <FileButton label="Upload a model" accept=".glb" tone="primary" onFile={upload} />
          <p class="hint">glTF binary, .glb. Most CAD and 3D programs export it.</p>
        </div>
      )}
      <List
        label="3D models"
        list={list}
        id={(one) => one.id}
        columns={[
          {
            title: "Name",
            shape: "wide",
            cell: (one) => (
              <>
                <strong>{one.name}</strong>
                <span class="muted small block">
                  {one.nodes.length} named parts{one.animations.length > 0 && `, ${one.animations.length} animations`}
                </span>
              </>
            ),
          },
          { title: "Size", cell: (one) => bytes(one.size_bytes) },
          { title: "Triangles", cell: (one) => <span class="numbers">{one.triangles.toLocaleString("en")}</span> },
          { title: "Changed", cell: (one) => <Moment at={one.updated_at} /> },
          {
            title: "Actions",
            shape: "end",
            cell: (one) =>
              may("write") && (
                <>
                  <FileButton
                    label="Replace"
                    accept=".glb"
                    onFile={async (file, onPart) => {
                      await send(file, { method: "PUT", path: `/v1/assets/${one.id}`, mediaType: MODEL_TYPE, onPart });
                      await list.reload();
                    }}
                  />
                  <DeleteButton
                    what={one.name}
                    consequence="Only a model that no scene uses can be deleted."
                    onDelete={async () => {
                      await api.delete(`/v1/assets/${one.id}`);
                      await list.reload();
                    }}
                  />
                </>
              ),
          },
        ]}
        empty={
          <Empty title="No model yet">
            <p>Scenes can be built of simple shapes alone. Upload a .glb file to show a real machine.</p>
          </Empty>
        }
      />
    </section>
  );
}
