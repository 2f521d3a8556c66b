// The fields that the editor's forms are made of.
//
// Invariant: what is being typed stays, however often new values draw the page anew; it is told once it is done.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Vec3 } from "../shared/types";

type On = { currentTarget: HTMLInputElement };

interface TypedGiven {
  type: "text" | "number";
  value: string;
  /** Told what was typed; the field then shows `value` again. */
  onDone: (text: string, isReadable: boolean) => void;
  label?: string;
  step?: number;
}

function Typed({ type, value, onDone, label, step }: TypedGiven): JSX.Element {
  const typed = useSignal<string | null>(null);
  const common = {
    maxLength: 200,
    value: typed.value ?? value,
    onInput: (event: On) => void (typed.value = event.currentTarget.value),
    onChange: (event: On) => {
      const { value: text, validity } = event.currentTarget;
      typed.value = null;
      onDone(text.trim(), !validity.badInput);
    },
    onBlur: () => void (typed.value = null),
    ...(label === undefined ? {} : { "aria-label": label }),
  };
  return type === "number" ? <input type="number" step={step ?? "any"} {...common} /> : <input type="text" {...common} />;
}

interface TextGiven {
  label: string;
  value: string;
  onChange: (text: string) => void;
  /** The label is for those who listen only. */
  isBare?: boolean;
}

export function TextField({ label, value, onChange, isBare = false }: TextGiven): JSX.Element {
  if (isBare) return <Typed type="text" label={label} value={value} onDone={onChange} />;
  return (
    <label class="field">
      <span>{label}</span>
      <Typed type="text" value={value} onDone={onChange} />
    </label>
  );
}

interface NumberGiven {
  label: string;
  value: number | null | undefined;
  onChange: (value: number | null) => void;
  step?: number;
  min?: number;
  max?: number;
}

/** A number; what is none, or out of bounds, is put back to what it was. */
export function NumberField({ label, value, onChange, step = 0.1, min = -Infinity, max = Infinity }: NumberGiven): JSX.Element {
  return (
    <label class="field">
      <span>{label}</span>
      <Typed
        type="number"
        step={step}
        value={String(value ?? "")}
        onDone={(text, isReadable) => {
          const given = Number(text);
          if (text === "" && isReadable) onChange(null);
          else if (text !== "" && given >= min && given <= max) onChange(given);
        }}
      />
    </label>
  );
}

interface VectorGiven {
  label: string;
  value: number[];
  onChange: (value: Vec3) => void;
  min?: number;
}

export function Vector({ label, value, onChange, min }: VectorGiven): JSX.Element {
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

/** A colour; told again and again while the picker is open. */
export function ColorField({ label, value, onChange }: { label: string; value: string; onChange: (color: string) => void }): JSX.Element {
  return (
    <label class="field">
      <span>{label}</span>
      <input type="color" value={value} onInput={(event) => onChange(event.currentTarget.value)} />
    </label>
  );
}
