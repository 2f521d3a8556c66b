// Files that come into the editor and go out of it: models, and scenes as archives.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { type Api, inWords } from "../shared/api";
import type { Asset, Scene } from "../shared/types";
import { ARCHIVE_TYPE, MODEL_TYPE, modelName, type Sent, sendFile, whyNoModel } from "../shared/upload";

interface Upload {
  /** What is being sent, and how much of it was. */
  name: string;
  part: number;
}

interface Sending {
  now: Upload | null;
  problem: string | null;
  send: <T>(file: File, sent: Sent) => Promise<T | null>;
  end: () => void;
  refuse: (problem: string) => void;
}

/** One file at a time, with its progress and what was wrong with it. */
function useSending(api: Api): Sending {
  const now = useSignal<Upload | null>(null);
  const problem = useSignal<string | null>(null);
  const aborts = useRef<AbortController | null>(null);
  useEffect(() => () => aborts.current?.abort(), []);
  const send = async <T,>(file: File, sent: Sent): Promise<T | null> => {
    const abort = (aborts.current = new AbortController());
    problem.value = null;
    now.value = { name: file.name, part: 0 };
    try {
      return await sendFile<T>(api, file, { ...sent, signal: abort.signal, onPart: (part) => (now.value = { name: file.name, part }) });
    } catch (error) {
      if (!abort.signal.aborted) problem.value = `${file.name}: ${inWords(error)}`;
      return null;
    } finally {
      now.value = null;
    }
  };
  return { now: now.value, problem: problem.value, send, end: () => aborts.current?.abort(), refuse: (why) => (problem.value = why) };
}

function Progress({ sending }: { sending: Sending }): JSX.Element | null {
  const { now, problem, end } = sending;
  if (problem) return <p class="notice critical" role="alert">{problem}</p>;
  if (!now) return null;
  const percent = Math.round(now.part * 100);
  return (
    <div class="row sending" role="status">
      <span>{now.part < 1 ? `Sending ${now.name}, ${percent} %` : `${now.name} is being checked …`}</span>
      <progress aria-label={`Sending ${now.name}`} value={now.part} max={1} />
      <button class="button quiet" type="button" onClick={end}>Stop</button>
    </div>
  );
}

function FileField({ label, accept, disabled, onFile }: { label: string; accept: string; disabled: boolean; onFile: (file: File) => void }): JSX.Element {
  const id = useId();
  return (
    <span class="file-field">
      <input id={id} type="file" class="visually-hidden" accept={accept} disabled={disabled} onChange={(event) => {
        const file = event.currentTarget.files?.[0];
        event.currentTarget.value = "";
        if (file) onFile(file);
      }} />
      <label class="button" for={id}>{label}</label>
    </span>
  );
}

/** Takes a model by a button, or dropped anywhere on the page. */
export function ModelUpload({ api, onAsset }: { api: Api; onAsset: (asset: Asset) => void }): JSX.Element {
  const sending = useSending(api);
  const over = useSignal(false);
  const take = async (file: File): Promise<void> => {
    const why = whyNoModel(file);
    if (why) return sending.refuse(why);
    const asset = await sending.send<Asset>(file, { path: "/v1/assets", query: { name: modelName(file.name) }, mediaType: MODEL_TYPE });
    if (asset) onAsset(asset);
  };
  useEffect(() => {
    const isFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    const hover = (event: DragEvent): void => {
      if (!isFile(event)) return;
      event.preventDefault(); // else the browser opens the file in place of the page
      over.value = true;
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) over.value = false;
    };
    const drop = (event: DragEvent): void => {
      if (!isFile(event)) return;
      event.preventDefault();
      over.value = false;
      const file = event.dataTransfer?.files[0];
      if (file && !sending.now) void take(file);
    };
    const heard: [string, (event: DragEvent) => void][] = [["dragover", hover], ["dragleave", leave], ["drop", drop]];
    for (const [name, listener] of heard) addEventListener(name, listener as EventListener);
    return () => {
      for (const [name, listener] of heard) removeEventListener(name, listener as EventListener);
    };
  });
  return (
    <>
      <div class="row">
        <FileField label="Upload a model" accept=".glb" disabled={sending.now !== null} onFile={(file) => void take(file)} />
        <span class="hint">.glb, or drop one here</span>
      </div>
      <Progress sending={sending} />
      {over.value && <div class="drop-here">Drop a .glb file to upload it and put it into the scene</div>}
    </>
  );
}

interface Imported {
  scene: Scene;
  dropped_widget_ids: string[];
}

/** The saved scene as a zip, and others from one. */
export function Archive({ api, scene, isChanged }: { api: Api; scene: Scene; isChanged: boolean }): JSX.Element {
  const sending = useSending(api);
  const made = useSignal<Imported | null>(null);
  const take = async (file: File): Promise<void> => {
    made.value = await sending.send<Imported>(file, { path: "/v1/scenes/import", mediaType: ARCHIVE_TYPE });
  };
  return (
    <details>
      <summary>Export and import</summary>
      <div class="row">
        <a class="button" href={api.address(`/v1/scenes/${scene.id}/export`)} download>Export as zip</a>
        <FileField label="Import a zip" accept=".zip" disabled={sending.now !== null} onFile={(file) => void take(file)} />
      </div>
      {isChanged && <p class="hint">The zip holds what was saved last.</p>}
      <Progress sending={sending} />
      {made.value && (
        <p class="notice ok" role="status">
          <a href={`/viewer/${made.value.scene.id}`}>{made.value.scene.name}</a> was made as a new scene.
          {made.value.dropped_widget_ids.length > 0 && ` Widgets that are not here were left out: ${made.value.dropped_widget_ids.length}.`}
        </p>
      )}
    </details>
  );
}
