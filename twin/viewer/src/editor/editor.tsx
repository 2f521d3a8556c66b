// The editor beside the 3D picture: a tree, the chosen node's properties and widgets, and saving.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ApiError, inWords } from "../shared/api";
import type { Asset, Page, PrimitiveType, Scene, Widget } from "../shared/types";
import { IconButton } from "../viewer/panels";
import type { ViewerState } from "../viewer/state";
import type { World } from "../viewer/world/world";
import { Bindings } from "./bindings";
import * as draft from "./draft";
import "./editor.css";
import { Archive, ModelUpload } from "./files";
import { Gizmo, partName, type Tool } from "./gizmo";
import { withMoved } from "./path";
import { Properties } from "./properties";
import { type OnScene, Surroundings, Views } from "./scene-parts";

const PRIMITIVES: PrimitiveType[] = ["box", "cylinder", "sphere", "pipe", "tank", "conveyor", "floor"];
const TOOLS: { tool: Tool; label: string; key: string; path: string }[] = [
  { tool: "translate", label: "Move (W)", key: "w", path: "M10 2v16M2 10h16M10 2 8 4.5M10 2l2 2.5M10 18l-2-2.5M10 18l2-2.5M2 10l2.5-2M2 10l2.5 2M18 10l-2.5-2M18 10l-2.5 2" },
  { tool: "rotate", label: "Rotate (E)", key: "e", path: "M16 6.5A7 7 0 1 0 17 10M16.5 2.5v4h-4" },
  { tool: "scale", label: "Scale (R)", key: "r", path: "M3 17V11M3 17h6M3 17 17 3M17 3v6M17 3h-6" },
];
const UNDO = "M7 4 3 8l4 4M3 8h9a5 5 0 0 1 0 10H8";
const REDO = "M13 4l4 4-4 4M17 8H8a5 5 0 0 0 0 10h4";
const SNAP = "M3 3v14M8 3v14M13 3v14M3 3h14M3 8h14M3 13h14M17 3v14M3 17h14";
const MOST_PAGES = 10;

export function Editor({ state, world, onClose }: { state: ViewerState; world: World; onClose: () => void }): JSX.Element {
  const history = useSignal(draft.begun(state.scene.peek()));
  const saved = useSignal(state.scene.peek());
  const tool = useSignal<Tool>("translate");
  const snap = useSignal(true);
  const part = useSignal<string | null>(null);
  const point = useSignal<number | null>(null); // of the chosen pipe, held by the handles
  const widgets = useSignal<Widget[]>([]);
  const assets = useSignal<Asset[]>([]);
  const problem = useSignal<string | null>(null);
  const stale = useSignal(false);
  const busy = useSignal(false);
  const gizmo = useRef<Gizmo | null>(null);
  const { scene } = history.value;
  const isChanged = scene !== saved.value;
  const node = scene.nodes.find((one) => one.id === state.selected.value) ?? null;

  const put = (next: draft.History): void => {
    history.value = next;
    state.scene.value = next.scene;
    state.follow();
  };
  // Told as what to do with the newest scene: of two changes in one turn the later does not undo the earlier.
  const change: OnScene = (make, step = "") => {
    const now = history.peek();
    const next = make(now.scene);
    if (next !== now.scene) put(draft.changed(now, next, step));
  };
  const add = (make: (scene: Scene) => [Scene, string]): void => {
    const [next, id] = make(history.peek().scene);
    change(() => next);
    state.selected.value = id;
  };

  useEffect(() => {
    const held = new Gizmo(world, {
      onNode: (id, moved) => change((now) => draft.patched(now, id, moved)),
      onPoint: (id, at, to) => change((now) => draft.reshaped(now, id, ({ path }) => (path ? { path: withMoved(path, at, to) } : {}))),
    });
    gizmo.current = held;
    const before = world.onPick;
    world.onPick = (id, object, where) => {
      if (held.isGrabbed) return;
      before(id, object, where);
      part.value = partName(object);
    };
    void all<Widget>(state, "/v1/widgets").then((found) => (widgets.value = found), (error) => (problem.value = inWords(error)));
    void all<Asset>(state, "/v1/assets").then((found) => (assets.value = found), (error) => (problem.value = inWords(error)));
    return () => {
      world.onPick = before;
      held.close();
    };
  }, [world]);

  useEffect(() => gizmo.current?.use(tool.value, snap.value), [tool.value, snap.value, world]);
  useEffect(() => {
    point.value = null;
  }, [node?.id]);
  useEffect(() => {
    world.plant.show(scene); // a node that was just added must be there to be held
    gizmo.current?.hold(node, point.value);
  }, [node, point.value, scene, world]);
  useEffect(() => {
    document.querySelector(".tree [aria-pressed=true]")?.scrollIntoView({ block: "nearest" });
  }, [node?.id]);
  useEffect(() => {
    const leave = (event: BeforeUnloadEvent): void => event.preventDefault();
    if (isChanged) addEventListener("beforeunload", leave);
    return () => removeEventListener("beforeunload", leave);
  }, [isChanged]);

  const remove = (): void => {
    if (node) change((now) => draft.without(now, node.id));
    state.selected.value = null;
  };

  const save = async (force: boolean): Promise<void> => {
    const sent = history.peek().scene;
    busy.value = true;
    problem.value = null;
    try {
      const { name, description, nodes, cameras, environment, revision } = sent;
      const body = { name, description, nodes, cameras, environment, ...(force ? {} : { revision }) };
      const answer = await state.api.put<Scene>(`/v1/scenes/${sent.id}`, body);
      stale.value = false;
      const now = history.peek();
      const next = now.scene === sent ? answer : { ...now.scene, revision: answer.revision };
      const renewed = (old: Scene): Scene => ({ ...old, revision: answer.revision });
      saved.value = answer;
      put({ ...now, past: now.past.map(renewed), future: now.future.map(renewed), scene: next, step: "" });
    } catch (error) {
      stale.value = error instanceof ApiError && error.status === 409;
      problem.value = inWords(error);
    } finally {
      busy.value = false;
    }
  };

  const reload = async (): Promise<void> => {
    try {
      const theirs = await state.api.get<Scene>(`/v1/scenes/${scene.id}`);
      saved.value = theirs;
      stale.value = false;
      problem.value = null;
      put(draft.begun(theirs));
    } catch (error) {
      problem.value = inWords(error);
    }
  };

  useEffect(() => {
    const keys = (event: KeyboardEvent): void => {
      if (/^(input|select|textarea)$/i.test((event.target as HTMLElement).tagName)) return;
      const key = event.key.toLowerCase();
      const meta = event.ctrlKey || event.metaKey;
      const action =
        meta && key === "z" ? () => put(event.shiftKey ? draft.redone(history.peek()) : draft.undone(history.peek()))
        : meta && key === "y" ? () => put(draft.redone(history.peek()))
        : meta && key === "s" ? () => void save(false)
        : meta && key === "d" && node ? () => add((now) => draft.duplicated(now, node.id))
        : meta ? undefined
        : key === "delete" ? remove
        : TOOLS.some((one) => one.key === key) ? () => (tool.value = TOOLS.find((one) => one.key === key)!.tool)
        : undefined;
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  });

  const close = (): void => {
    if (isChanged && !confirm("Leave the editor and drop what was not saved?")) return;
    state.scene.value = saved.value;
    state.follow();
    onClose();
  };

  return (
    <aside class="editor-panel panel" aria-label="Editor">
      <header>
        <h2>Editor</h2>
        <button class="button primary" type="button" disabled={!isChanged || busy.value} onClick={() => void save(false)}>
          {busy.value ? "Saving …" : isChanged ? "Save" : "Saved"}
        </button>
        <button class="button quiet" type="button" onClick={close}>Close</button>
      </header>
      {problem.value && (
        <div class="notice critical" role="alert">
          <p>{problem.value}</p>
          {stale.value && (
            <p class="row">
              <button class="button" type="button" onClick={() => void reload()}>Load the newer one</button>
              <button class="button danger" type="button" onClick={() => void save(true)}>Overwrite it</button>
            </p>
          )}
        </div>
      )}
      <div class="row tools" role="toolbar" aria-label="Tools">
        {TOOLS.map((one) => (
          <IconButton key={one.tool} label={one.label} path={one.path} pressed={tool.value === one.tool} onClick={() => (tool.value = one.tool)} />
        ))}
        <IconButton label="Snap to the grid" path={SNAP} pressed={snap.value} onClick={() => (snap.value = !snap.value)} />
        <span class="gap" />
        <IconButton label="Undo (Ctrl+Z)" path={UNDO} disabled={history.value.past.length === 0} onClick={() => put(draft.undone(history.value))} />
        <IconButton label="Redo (Ctrl+Y)" path={REDO} disabled={history.value.future.length === 0} onClick={() => put(draft.redone(history.value))} />
      </div>
      <div class="row">
        <select
          aria-label="Add a node"
          value=""
          onChange={(event) => {
            const chosen = event.currentTarget.value;
            event.currentTarget.value = "";
            const asset = assets.value.find((one) => one.id === chosen);
            if (asset) add((now) => draft.withAsset(now, asset));
            else if (chosen === "group") add(draft.withGroup);
            else if (chosen) add((now) => draft.withPrimitive(now, chosen as PrimitiveType));
          }}
        >
          <option value="">Add …</option>
          <optgroup label="Shapes">
            {PRIMITIVES.map((type) => <option key={type} value={type}>{type}</option>)}
            <option value="group">group</option>
          </optgroup>
          {assets.value.length > 0 && (
            <optgroup label="Models">
              {assets.value.map((asset) => <option key={asset.id} value={asset.id}>{asset.name}</option>)}
            </optgroup>
          )}
        </select>
      </div>
      <ModelUpload
        api={state.api}
        onAsset={(asset) => {
          assets.value = [...assets.peek(), asset];
          add((now) => draft.withAsset(now, asset));
        }}
      />
      <ul class="tree" aria-label="Nodes">
        <Branch scene={scene} parent={null} state={state} depth={0} />
      </ul>
      {node ? (
        <div class="node">
          <Properties
            key={node.id}
            scene={scene}
            node={node}
            point={point.value}
            onPoint={(at) => (point.value = at)}
            onChange={(fields, step) => change((now) => draft.patched(now, node.id, fields), step)}
            onReshape={(fields, step) => change((now) => draft.reshaped(now, node.id, () => fields), step)}
          />
          <p class="row">
            <button class="button" type="button" onClick={() => add((now) => draft.duplicated(now, node.id))}>Duplicate</button>
            <button class="button danger" type="button" onClick={remove}>Delete</button>
          </p>
          <Bindings
            node={node}
            part={node.asset_id ? part.value : null}
            parts={scene.assets.find((asset) => asset.id === node.asset_id)?.nodes ?? []}
            widgets={widgets.value}
            lost={scene.missing.widget_ids}
            onAdd={(binding) => change((now) => draft.bound(now, node.id, binding))}
            onChange={(index, binding) => change((now) => draft.rebound(now, node.id, index, binding))}
          />
        </div>
      ) : (
        <p class="none">Click a part, here or in the picture, to change it.</p>
      )}
      <Surroundings scene={scene} onChange={change} />
      <Views scene={scene} onChange={change} here={(name) => world.here(name)} onShow={(camera) => world.view(camera)} />
      <Archive api={state.api} scene={scene} isChanged={isChanged} />
    </aside>
  );
}

function Branch({ scene, parent, state, depth }: { scene: Scene; parent: string | null; state: ViewerState; depth: number }): JSX.Element {
  const below = scene.nodes.filter((node) => (node.parent ?? null) === parent);
  return (
    <>
      {below.map((node) => (
        <li key={node.id}>
          <button type="button" aria-pressed={state.selected.value === node.id} style={{ paddingLeft: `${10 + depth * 14}px` }} onClick={() => (state.selected.value = node.id)}>
            {node.name ?? node.id}
            <small>{node.primitive?.type ?? (draft.isLost(scene, node) ? "deleted model" : node.asset_id ? "model" : "group")}{node.widgets.length > 0 ? ` · ${node.widgets.length}` : ""}</small>
          </button>
          {scene.nodes.some((one) => one.parent === node.id) && (
            <ul>
              <Branch scene={scene} parent={node.id} state={state} depth={depth + 1} />
            </ul>
          )}
        </li>
      ))}
    </>
  );
}

/** Return everything of a list. */
async function all<T>(state: ViewerState, path: string): Promise<T[]> {
  const found: T[] = [];
  for (let page = 0; page < MOST_PAGES; page++) {
    const answer = await state.api.get<Page<T>>(path, { limit: 100, offset: found.length });
    found.push(...answer.items);
    if (found.length >= answer.total || answer.items.length === 0) break;
  }
  return found;
}
