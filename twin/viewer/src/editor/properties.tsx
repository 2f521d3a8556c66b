// What a node is: name, place, size, colour.
import type { JSX } from "preact";
import type { Primitive, Scene, SceneNode } from "../shared/types";
import { isLost, leadsTo } from "./draft";
import { ColorField, NumberField, TextField, Vector } from "./fields";
import { FIRST } from "./path";
import { Path } from "./path-points";
import { type Form, formOf, inForm, withPart } from "./rotation";

interface Given {
  scene: Scene;
  node: SceneNode;
  /** The point of a pipe that the handles hold. */
  point: number | null;
  onPoint: (point: number | null) => void;
  onChange: (fields: Partial<SceneNode>, step?: string) => void;
  onReshape: (fields: Partial<Primitive>, step?: string) => void;
}

export function Properties({ scene, node, point, onPoint, onChange, onReshape }: Given): JSX.Element {
  const { primitive } = node;
  return (
    <section aria-label="Properties">
      {isLost(scene, node) && <p class="notice warning">The model of this node was deleted. Delete the node, or add another model.</p>}
      <TextField label="Name" value={node.name ?? ""} onChange={(name) => onChange({ name: name || null })} />
      <label class="field">
        <span>Part of</span>
        <select value={node.parent ?? ""} onChange={(event) => onChange({ parent: event.currentTarget.value || null })}>
          <option value="">the scene</option>
          {scene.nodes.filter((one) => !leadsTo(scene, one.id, node.id)).map((one) => (
            <option key={one.id} value={one.id}>{one.name ?? one.id}</option>
          ))}
        </select>
      </label>
      <Vector label="Position, m" value={node.position} onChange={(position) => onChange({ position })} />
      <Rotation rotation={node.rotation} onChange={(rotation) => onChange({ rotation })} />
      <Vector label="Scale" value={node.scale} onChange={(scale) => onChange({ scale })} />
      {primitive && (
        <>
          {primitive.type === "pipe" ? (
            <>
              <NumberField label="Radius, m" value={primitive.radius ?? 0.05} min={0.001} step={0.01} onChange={(radius) => radius !== null && onReshape({ radius })} />
              <Path path={primitive.path ?? FIRST} held={point} onHold={onPoint} onChange={(path) => onReshape({ path })} />
            </>
          ) : (
            <Vector label="Size, m" value={primitive.size} min={0.001} onChange={(size) => onReshape({ size })} />
          )}
          <div class="row">
            <ColorField label="Colour" value={primitive.color} onChange={(color) => onReshape({ color }, `colour ${node.id}`)} />
            <NumberField label="Opacity, 0 to 1" value={primitive.opacity} min={0} max={1} onChange={(opacity) => opacity !== null && onReshape({ opacity })} />
          </div>
        </>
      )}
      <label class="check">
        <input type="checkbox" checked={node.visible} onChange={(event) => onChange({ visible: event.currentTarget.checked })} /> Visible
      </label>
    </section>
  );
}

const PARTS: Record<Form, string[]> = { degrees: ["x", "y", "z"], quaternion: ["x", "y", "z", "w"] };

/** The numbers as the scene holds them; the other form is asked for, and turns nothing. */
function Rotation({ rotation, onChange }: { rotation: number[]; onChange: (rotation: number[]) => void }): JSX.Element {
  const form = formOf(rotation);
  return (
    <fieldset class={`vector ${form}`}>
      <legend>Rotation</legend>
      <select aria-label="Rotation as" value={form} onChange={(event) => onChange(inForm(rotation, event.currentTarget.value as Form))}>
        <option value="degrees">in degrees about x, y and z</option>
        <option value="quaternion">as a quaternion</option>
      </select>
      {PARTS[form].map((part, index) => (
        <NumberField
          key={part}
          label={part}
          value={rotation[index]}
          step={form === "degrees" ? 1 : 0.01}
          onChange={(given) => given !== null && onChange(withPart(rotation, index, given))}
        />
      ))}
    </fieldset>
  );
}
