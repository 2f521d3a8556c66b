// The viewer of one scene.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Session } from "../shared/types";
import { theme } from "../shared/theme";
import type { BoundAlert } from "./alerts";
import { bindWorld } from "./bind";
import type { Editor as EditorType } from "../editor/editor";
import { Board } from "./board";
import { Overlay } from "./overlay";
import { AlertList, fullScreen, IconButton, ICONS, LinkBadge, Notices, ThemeButton } from "./panels";
import { Scrubber } from "./scrubber";
import type { ViewerState } from "./state";
import { Trouble } from "./trouble";
import type { World } from "./world/world";

export interface Options {
  kiosk: boolean;
  flat: boolean;
  session: Session | null;
}

export function App({ state, options }: { state: ViewerState; options: Options }): JSX.Element {
  const flat = useSignal(options.flat);
  const why = useSignal<string | null>(null);
  const world = useSignal<World | null>(null);
  const listed = useSignal(!options.kiosk && innerWidth > 900);
  const editor = useSignal<{ Editor: typeof EditorType } | null>(null);
  const place = useRef<HTMLCanvasElement>(null);
  const scene = state.scene.value;

  useEffect(() => {
    document.title = `${scene.name} – Twinfeed`;
  }, [scene.name]);

  useEffect(() => {
    if (flat.value) return;
    let gone = false;
    let close = (): void => {};
    const onFail = (reason: string): void => {
      why.value = reason;
      flat.value = true;
    };
    void openWorld(state, place.current!, onFail).then((opened) => {
      if (!opened) return;
      if (gone) return opened.close();
      close = opened.close;
      world.value = opened.world;
    });
    return () => {
      gone = true;
      world.value = null;
      close();
    };
  }, [flat.value]);

  useEffect(() => {
    world.value?.show(scene, theme.value === "dark");
  }, [world.value, scene, theme.value]);

  useEffect(() => {
    const listener = (event: KeyboardEvent): void => onKey(event, state, world.value);
    addEventListener("keydown", listener);
    return () => removeEventListener("keydown", listener);
  }, [state, world.value]);

  useEffect(() => world.value?.invalidate(), [state.opened.value, state.selected.value, state.alerts.value]);

  if (state.link.value === "ended") return <Trouble reason={state.linkReason.value} hasToken={state.api.token !== null} />;

  const go = (entry: BoundAlert): void => {
    state.selected.value = entry.bound.node.id;
    state.opened.value = entry.bound.id;
    world.value?.focus(entry.bound.node.id);
    if (flat.value) document.getElementById(`node-${entry.bound.node.id}`)?.scrollIntoView({ behavior: "smooth" });
  };
  const { done, total } = state.loading.value;
  const lost = done < total ? [] : scene.nodes.flatMap((node) => (world.value?.plant.lost(node) ?? []).map((name) => `${node.name ?? node.id}: its model has no part '${name}'.`));
  const mayEdit = options.session?.scopes.some((scope) => scope === "write" || scope === "admin") ?? false;
  const Editor = editor.value?.Editor;
  return (
    <div class={`viewer ${flat.value ? "flat" : "solid"} ${options.kiosk ? "kiosk" : ""} ${state.isLive.value ? "" : "in-past"}`}>
      <header class="top">
        <div class="title">
          <h1>{scene.name}</h1>
          <LinkBadge state={state} />
        </div>
        <nav aria-label="View">
          {!flat.value && scene.cameras.length > 0 && (
            <select class="cameras" aria-label="Saved views" onChange={(event) => {
              const camera = scene.cameras[Number(event.currentTarget.value)];
              if (camera) world.value?.view(camera);
              event.currentTarget.value = "";
            }}>
              <option value="">Views</option>
              {scene.cameras.map((camera, index) => (
                <option key={camera.name} value={index}>{`${index + 1} · ${camera.name}`}</option>
              ))}
            </select>
          )}
          {!flat.value && <IconButton label="Show everything (Home)" path={ICONS.home} onClick={() => world.value?.focus(null)} />}
          <AlertButton state={state} pressed={listed.value} onClick={() => (listed.value = !listed.value)} />
          <IconButton label={flat.value ? "3D view" : "Board"} path={flat.value ? ICONS.cube : ICONS.board} onClick={() => { why.value = null; flat.value = !flat.value; }} />
          {mayEdit && !flat.value && (
            <IconButton label="Edit" path={ICONS.edit} pressed={editor.value !== null} onClick={() => void import("../editor/editor").then((loaded) => (editor.value = loaded))} />
          )}
          <ThemeButton />
          <IconButton label="Full screen" path={ICONS.full} onClick={fullScreen} />
        </nav>
      </header>
      <main class="stage">
        {!flat.value && <h2 class="visually-hidden">Widgets</h2>}
        {!flat.value && <canvas ref={place} tabIndex={0} aria-label={`${scene.name}, a 3D scene. Arrow keys turn it, plus and minus zoom, F focuses, 1 to 9 are saved views.`} />}
        {!flat.value && world.value && <Overlay state={state} world={world.value} bars={!options.kiosk} />}
        {!flat.value && (!world.value || done < total) && (
          <div class="progress" role="status">
            <span>{world.value ? `Loading models ${done}/${total}` : "Loading the scene …"}</span>
            <progress {...(world.value ? { value: done, max: total } : {})} />
          </div>
        )}
        {flat.value && <Board state={state} reason={why.value} />}
        {listed.value && <AlertList state={state} onGo={go} />}
        {Editor && world.value && <Editor state={state} world={world.value} onClose={() => (editor.value = null)} />}
        <Notices state={state} missingParts={lost} />
        {!flat.value && scene.nodes.length === 0 && <p class="nothing panel">This scene is empty: nothing was placed in it yet.</p>}
      </main>
      <Scrubber state={state} />
    </div>
  );
}

function AlertButton({ state, pressed, onClick }: { state: ViewerState; pressed: boolean; onClick: () => void }): JSX.Element {
  const alerts = state.alerts.value;
  const severity = alerts[0]?.alert.severity ?? "";
  return (
    <button class="button quiet alert-button" type="button" aria-pressed={pressed} aria-label={`Alerts: ${alerts.length}`} title="Alerts" onClick={onClick}>
      <svg viewBox="0 0 20 20" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round" aria-hidden="true"><path d={ICONS.bell} /></svg>
      {alerts.length > 0 && <span class={`count ${severity}`}>{alerts.length}</span>}
    </button>
  );
}

async function openWorld(
  state: ViewerState, canvas: HTMLCanvasElement, onFail: (reason: string) => void,
): Promise<{ world: World; close: () => void } | null> {
  try {
    const { World } = await import("./world/world");
    const world = new World(canvas, state.api, {
      onProgress: (done, total) => (state.loading.value = { done, total }),
      onBroken: (broken) => (state.broken.value = broken),
    });
    world.onPick = (nodeId) => {
      state.selected.value = nodeId;
      state.opened.value = null;
    };
    canvas.addEventListener("webglcontextlost", () => onFail("The graphics card gave up the 3D picture; these are the same widgets."));
    world.onFirst = () => performance.mark("first-picture");
    world.show(state.scene.value, theme.value === "dark");
    const [camera] = state.scene.value.cameras;
    if (camera) world.view(camera, true);
    else world.home();
    const unbind = bindWorld(state, world);
    Object.assign(globalThis, { twinfeedWorld: world }); // for measurements
    return { world, close: () => (unbind(), world.close()) };
  } catch (error) {
    console.info("no 3D:", error);
    onFail("This browser has no WebGL: these are the scene's widgets without the 3D picture.");
    return null;
  }
}

const TURN = 8; // degrees a key press

function onKey(event: KeyboardEvent, state: ViewerState, world: World | null): void {
  const target = event.target as HTMLElement;
  if (/^(input|select|textarea)$/i.test(target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    state.opened.value = null;
    state.selected.value = null;
    (document.activeElement as HTMLElement | null)?.blur();
    return;
  }
  if (!world) return;
  const camera = /^[1-9]$/.test(event.key) ? state.scene.value.cameras[Number(event.key) - 1] : undefined;
  const actions: Record<string, () => void> = {
    f: () => world.focus(focused(state)),
    Home: () => world.focus(null),
    ArrowLeft: () => world.orbit(-TURN, 0),
    ArrowRight: () => world.orbit(TURN, 0),
    ArrowUp: () => world.orbit(0, TURN),
    ArrowDown: () => world.orbit(0, -TURN),
    "+": () => world.zoom(0.85),
    "=": () => world.zoom(0.85),
    "-": () => world.zoom(1.18),
  };
  const action = camera ? () => world.view(camera) : actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function focused(state: ViewerState): string | null {
  return state.selected.value ?? state.opened.value?.split("/").slice(0, -1).join("/") ?? null;
}
