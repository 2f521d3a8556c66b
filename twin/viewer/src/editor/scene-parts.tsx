// What the whole scene has: a name, surroundings, saved views.
import type { JSX } from "preact";
import type { Camera, Environment, Scene } from "../shared/types";
import { withCamera, withCameraNamed, withEnvironment, withoutCamera, freeCameraName } from "./draft";
import { ColorField, TextField } from "./fields";

const LIGHTS: Record<Environment["light"], string> = { day: "daylight", studio: "studio", dusk: "dusk" };
const FIRST_BACKGROUND = "#dfe6ec";

/** Told what to make of the newest scene, and of which step of the history it is. */
export type OnScene = (make: (scene: Scene) => Scene, step?: string) => void;

interface Given {
  scene: Scene;
  onChange: OnScene;
}

export function Surroundings({ scene, onChange }: Given): JSX.Element {
  const { environment } = scene;
  const set = (change: Partial<Environment>, step?: string): void => onChange((now) => withEnvironment(now, change), step);
  return (
    <details>
      <summary>Scene</summary>
      <TextField label="Name of the scene" value={scene.name} onChange={(name) => name && onChange((now) => ({ ...now, name }))} />
      <label class="field">
        <span>Light</span>
        <select value={environment.light} onChange={(event) => set({ light: event.currentTarget.value as Environment["light"] })}>
          {Object.entries(LIGHTS).map(([light, text]) => <option key={light} value={light}>{text}</option>)}
        </select>
      </label>
      <label class="check">
        <input type="checkbox" checked={!environment.background} onChange={(event) => set({ background: event.currentTarget.checked ? null : FIRST_BACKGROUND })} />
        Background as light or dark as the page
      </label>
      {environment.background && <ColorField label="Background" value={environment.background} onChange={(background) => set({ background }, "background")} />}
      <label class="check">
        <input type="checkbox" checked={environment.grid} onChange={(event) => set({ grid: event.currentTarget.checked })} /> Grid on the ground
      </label>
    </details>
  );
}

interface ViewsGiven extends Given {
  /** Return the present view under a name. */
  here: (name: string) => Camera;
  onShow: (camera: Camera) => void;
}

export function Views({ scene, onChange, here, onShow }: ViewsGiven): JSX.Element {
  return (
    <details>
      <summary>{`Saved views (${scene.cameras.length})`}</summary>
      <ol class="views">
        {scene.cameras.map((camera) => (
          <li key={camera.name} class="row">
            <TextField isBare label={`Name of the view ${camera.name}`} value={camera.name} onChange={(name) => onChange((now) => withCameraNamed(now, camera.name, name))} />
            <button class="button" type="button" aria-label={`Show ${camera.name}`} onClick={() => onShow(camera)}>Show</button>
            <button class="button" type="button" aria-label={`Set ${camera.name} to the present view`} onClick={() => onChange((now) => withCamera(now, here(camera.name)))}>Set</button>
            <button class="button quiet danger" type="button" aria-label={`Delete ${camera.name}`} onClick={() => onChange((now) => withoutCamera(now, camera.name))}>×</button>
          </li>
        ))}
      </ol>
      <button class="button" type="button" onClick={() => onChange((now) => withCamera(now, here(freeCameraName(now))))}>Keep this view</button>
    </details>
  );
}
