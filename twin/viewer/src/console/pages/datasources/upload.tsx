// A file dropped on the page: first looked at, then stored. Both by the ingestion route, with an ingest key
// that is made for it and deleted after.
import { useEffect, useState } from "preact/hooks";
import { Api, ApiError } from "../../../shared/api";
import { bytes } from "../../../shared/format";
import { Badge, Card, Fault, Notice } from "../../kit/basics";
import { asFault } from "../../kit/load";
import { SelectField, TextField } from "../../kit/form";
import { Table } from "../../kit/list";
import { ENDINGS, inWords, type Judged, mediaOf } from "../../logic/columns";
import { counted } from "../../logic/words";
import { to } from "../../router";
import { api } from "../../session";
import type { DatasourceDetail, IngestKey } from "./types";
import { ZONES } from "./zones";

interface Reading {
  time_column: string;
  device_column: string;
  delimiter: string;
  decimal: string;
  tz: string;
}

const AS_FOUND: Reading = { time_column: "", device_column: "", delimiter: "", decimal: "", tz: "" };

type State =
  | { step: "choose" }
  | { step: "busy"; what: string }
  | { step: "preview"; judged: Judged }
  | { step: "stored"; judged: Judged };

async function send(source: DatasourceDetail, file: File, options: Reading, isDry: boolean): Promise<Judged> {
  const keys = `/v1/datasources/${source.id}/keys`;
  const key = await api.post<IngestKey & { api_key: string }>(keys, { name: "Upload in the console", expires_in_days: 1 });
  try {
    const asked = {
      query: { ...options, dry_run: isDry },
      body: file,
      headers: { "Content-Type": mediaOf(file.name) ?? "text/csv", Authorization: `Bearer ${key.api_key}` },
    };
    return await new Api().ask<Judged>("POST", `/ingest/${source.id}`, asked);
  } finally {
    await api.delete(`${keys}/${key.key_id}`);
  }
}

export function Upload(props: { source: DatasourceDetail }) {
  const { source } = props;
  const [file, setFile] = useState<File | null>(null);
  const [options, setOptions] = useState(AS_FOUND);
  const [state, setState] = useState<State>({ step: "choose" });
  const [fault, setFault] = useState<ApiError | null>(null);
  const run = async (chosen: File, how: Reading, isDry: boolean) => {
    setFault(null);
    setState({ step: "busy", what: isDry ? "Reading the file…" : "Storing…" });
    try {
      const judged = await send(source, chosen, how, isDry);
      setState({ step: isDry ? "preview" : "stored", judged });
    } catch (error) {
      setFault(asFault(error));
      setState({ step: "choose" });
    }
  };
  const choose = (chosen: File | undefined) => {
    if (!chosen) return;
    setFile(chosen);
    setOptions(AS_FOUND);
    if (mediaOf(chosen.name)) return void run(chosen, AS_FOUND, true);
    setState({ step: "choose" });
    const old = chosen.name.toLowerCase().endsWith(".xls") ? " In Excel, save it as .xlsx." : "";
    setFault(new ApiError(0, { message: `“${chosen.name}” is of no kind that can be read: ${ENDINGS.join(", ")}.${old}` }));
  };
  const again = (changed: Partial<Reading>) => {
    const how = { ...options, ...changed };
    setOptions(how);
    if (file) void run(file, how, true);
  };
  return (
    <Card title="Upload a file" about="Excel, CSV, Parquet, Arrow or JSON. You see how it is read before anything is stored.">
      <Drop onFile={choose} />
      {file && (
        <p class="file">
          <strong>{file.name}</strong> <span class="muted">{bytes(file.size)}</span>
        </p>
      )}
      {state.step === "busy" && <p role="status">{state.what}</p>}
      <Fault fault={fault} />
      {file && mediaOf(file.name) && (state.step === "preview" || fault) && <How options={options} onChange={again} />}
      {state.step === "preview" && file && (
        <Preview
          judged={state.judged}
          onStore={() => void run(file, options, false)}
          onCancel={() => {
            setFile(null);
            setState({ step: "choose" });
          }}
        />
      )}
      {state.step === "stored" && (
        <Notice tone="ok">
          <strong>{counted(state.judged.accepted, "reading")} stored.</strong>
          {state.judged.rejected > 0 && ` Left out: ${counted(state.judged.rejected, "row")}.`}{" "}
          <a href={to("datasources", source.id)}>See them</a>
        </Notice>
      )}
    </Card>
  );
}

function Drop(props: { onFile: (file: File | undefined) => void }) {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const missed = (event: Event) => event.preventDefault(); // beside the box: else the browser leaves the page for the file
    addEventListener("dragover", missed);
    addEventListener("drop", missed);
    return () => {
      removeEventListener("dragover", missed);
      removeEventListener("drop", missed);
    };
  }, []);
  return (
    <label
      class={`drop ${isOver ? "over" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        props.onFile(event.dataTransfer?.files[0]);
      }}
    >
      <strong>Drop a file here</strong>
      <span class="muted">or choose one; the first row holds the names of the columns</span>
      <input
        type="file"
        class="visually-hidden"
        accept={ENDINGS.join(",")}
        aria-label="File"
        onChange={(event) => {
          props.onFile(event.currentTarget.files?.[0]);
          event.currentTarget.value = "";
        }}
      />
      <span class="button" aria-hidden="true">
        Choose a file
      </span>
    </label>
  );
}

function How(props: { options: Reading; onChange: (changed: Partial<Reading>) => void }) {
  const [typed, setTyped] = useState(props.options);
  return (
    <details class="how">
      <summary>Not as it should be? Say how to read it</summary>
      <form
        class="columns"
        aria-label="How to read the file"
        onSubmit={(event) => {
          event.preventDefault();
          props.onChange(typed);
        }}
      >
        <TextField label="Column of the time" value={typed.time_column} placeholder="found by its name" onChange={(v) => setTyped({ ...typed, time_column: v })} />
        <TextField label="Column of the device" value={typed.device_column} placeholder="found by its name" onChange={(v) => setTyped({ ...typed, device_column: v })} />
        <SelectField label="Columns are divided by" value={typed.delimiter} onChange={(v) => setTyped({ ...typed, delimiter: v })} options={[["", "as found"], ["comma", "comma"], ["semicolon", "semicolon"], ["tab", "tab"]]} />
        <SelectField label="Decimal sign" value={typed.decimal} onChange={(v) => setTyped({ ...typed, decimal: v })} options={[["", "as found"], ["point", "point: 1.5"], ["comma", "comma: 1,5"]]} />
        <TextField label="Time zone" value={typed.tz} placeholder="the datasource's" choices={ZONES} onChange={(v) => setTyped({ ...typed, tz: v })} />
        <div class="actions end">
          <button class="button">Look again</button>
        </div>
      </form>
    </details>
  );
}

function Preview(props: { judged: Judged; onStore: () => void; onCancel: () => void }) {
  const { accepted, rejected, errors, columns = [] } = props.judged;
  return (
    <div class="preview">
      <Notice tone={rejected > 0 ? "warning" : "ok"}>
        <strong>{counted(accepted, "reading")} can be stored</strong>
        {rejected > 0 ? `, ${counted(rejected, "row")} cannot and would be left out.` : "."} Nothing is stored yet.
      </Notice>
      {columns.length > 0 && (
        <Table
          label="How each column is read"
          items={columns}
          id={(one) => one.name}
          columns={[
            { title: "Column", shape: "wide", cell: (one) => <code>{one.name || "(no name)"}</code> },
            {
              title: "Is read as",
              cell: (one) => <Badge tone={one.role === "left out" ? "warning" : one.role === "key" ? "" : "info"}>{inWords(one)}</Badge>,
            },
          ]}
        />
      )}
      {errors.length > 0 && (
        <details open>
          <summary>What is wrong with {rejected === 1 ? "the row" : "the rows"}</summary>
          <ul class="faults">
            {errors.slice(0, 20).map((one, place) => (
              <li key={place}>
                {one.index !== undefined && <span class="muted">Row {one.index + 2}: </span>}
                {one.key && <code>{one.key}</code>} {one.message}
              </li>
            ))}
          </ul>
        </details>
      )}
      <div class="actions">
        <button type="button" class="button primary" onClick={props.onStore}>
          Store {counted(accepted, "reading")}
        </button>
        <button type="button" class="button quiet" onClick={props.onCancel}>
          Another file
        </button>
      </div>
    </div>
  );
}
