import { useState } from "preact/hooks";
import { Empty, When } from "../../kit/basics";
import { Dialog } from "../../kit/dialog";
import { FormBox, problemOf, TextField, useForm } from "../../kit/form";
import { Table } from "../../kit/list";
import { api, may } from "../../session";
import type { DataKey } from "./types";

/** A datasource's keys; unit and label can be changed. */
export function KeyTable(props: { id: string; keys: DataKey[]; reload: () => Promise<void> }) {
  const [edited, setEdited] = useState<DataKey | null>(null);
  if (props.keys.length === 0) {
    return (
      <Empty title="No key yet">
        <p>Keys appear by themselves with the first readings: {'{"temperature": 21.5}'} makes the key temperature.</p>
      </Empty>
    );
  }
  return (
    <>
      <Table
        label="Data keys"
        items={props.keys}
        id={(one) => one.key}
        columns={[
          { title: "Key", shape: "wide", cell: (one) => <code>{one.key}</code> },
          { title: "Kind", cell: (one) => one.kind ?? <span class="faint">not yet known</span> },
          { title: "Unit", cell: (one) => one.unit ?? <span class="faint">–</span> },
          { title: "Label", cell: (one) => one.label ?? <span class="faint">–</span> },
          { title: "Last value", cell: (one) => <When at={one.last_seen} /> },
          ...(may("write")
            ? [
                {
                  title: "Actions",
                  shape: "end" as const,
                  cell: (one: DataKey) => (
                    <button type="button" class="button" onClick={() => setEdited(one)} aria-label={`Edit ${one.key}`}>
                      Edit
                    </button>
                  ),
                },
              ]
            : []),
        ]}
      />
      {edited && (
        <Dialog title={`Key ${edited.key}`} onClose={() => setEdited(null)}>
          <EditKey
            id={props.id}
            edited={edited}
            onDone={async () => {
              await props.reload();
              setEdited(null);
            }}
          />
        </Dialog>
      )}
    </>
  );
}

function EditKey(props: { id: string; edited: DataKey; onDone: () => Promise<void> }) {
  const { edited } = props;
  const form = useForm({ unit: edited.unit ?? "", label: edited.label ?? "" }, async ({ unit, label }) => {
    const path = `/v1/datasources/${props.id}/data-keys/${edited.key.split("/").map(encodeURIComponent).join("/")}`;
    await api.patch(path, { unit: unit.trim() || null, label: label.trim() || null });
    await props.onDone();
  });
  return (
    <FormBox form={form} action="Save" label={`Edit ${edited.key}`}>
      <TextField label="Unit" value={form.values.unit} onChange={(v) => form.set("unit", v)} placeholder="°C" autofocus problem={problemOf(form.fault, "unit")} />
      <TextField label="Label" value={form.values.label} onChange={(v) => form.set("label", v)} placeholder="Bearing temperature" problem={problemOf(form.fault, "label")} />
    </FormBox>
  );
}
