// What a node is: name, place, size, colour.
import type { JSX } from "preact";
import type { Scene, SceneNode, Vec3 } from "../shared/types";
import { leadsTo } from "./draft";

type Change = (fields: Partial<SceneNode>, step?: string) => void;

export function NumberField({ label, value, onChange, step = 0.1, min }: { label: string; value: number | null | undefined; onChange: (value: number | null) => void; step?: number; min?: number }): JSX.Element {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="number"
        step={step}
        {...(min === undefined ? {} : { min })}
        value={value ?? ""}
        onChange={(event) => {
          const text = event.currentTarget.value.trim();
          const given = Number(text);
          if (text === "") onChange(null);
          else if (Number.isFinite(given) && (min === undefined || given >= min)) onChange(given);
        }}
      />
    </label>
  );
}

function Vector({ label, value, onChange, min }: { label: string; value: number[]; onChange: (value: Vec3) => void; min?: number }): JSX.Element {
  return (
    <fieldset class="vector">
      <legend>{label}</legend>
      {(["x", "y", "z"] as const).map((axis, index) => (
        <NumberField
          key={axis}
          label={axis}
          value={value[index]}
          {...(min === undefined ? {} : { min })}
          onChange={(given) => given !== null && onChange(value.slice(0, 3).map((old, at) => (at === index ? given : old)) as Vec3)}
        />
      ))}
    </fieldset>
  );
}

export function Properties({ scene, node, onChange }: { scene: Scene; node: SceneNode; onChange: Change }): JSX.Element {
  const { primitive } = node;
  return (
    <section aria-label="Properties">
      <label class="field">
        <span>Name</span>
        <input type="text" maxLength={200} value={node.name ?? ""} onChange={(event) => onChange({ name: event.currentTarget.value.trim() || null })} />
      </label>
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
      {node.rotation.length === 3 && <Vector label="Rotation, °" value={node.rotation} onChange={(rotation) => onChange({ rotation })} />}
      <Vector label="Scale" value={node.scale} onChange={(scale) => onChange({ scale })} />
      {primitive && (
        <>
          {primitive.type === "pipe" ? (
            <NumberField label="Radius, m" value={primitive.radius ?? 0.05} min={0.001} step={0.01} onChange={(radius) => radius !== null && onChange({ primitive: { ...primitive, radius } })} />
          ) : (
            <Vector label="Size, m" value={primitive.size} min={0.001} onChange={(size) => onChange({ primitive: { ...primitive, size } })} />
          )}
          <div class="row">
            <label class="field">
              <span>Colour</span>
              <input type="color" value={primitive.color} onInput={(event) => onChange({ primitive: { ...primitive, color: event.currentTarget.value } }, `colour ${node.id}`)} />
            </label>
            <NumberField label="Opacity" value={primitive.opacity} min={0} onChange={(opacity) => opacity !== null && onChange({ primitive: { ...primitive, opacity: Math.min(opacity, 1) } })} />
          </div>
        </>
      )}
      <label class="check">
        <input type="checkbox" checked={node.visible} onChange={(event) => onChange({ visible: event.currentTarget.checked })} /> Visible
      </label>
    </section>
  );
}
