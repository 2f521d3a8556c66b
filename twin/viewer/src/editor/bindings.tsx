// Which widgets hang on a node, where, and how they show.
import type { JSX } from "preact";
import type { Binding, Display, DisplayKind, SceneNode, ValueRange, Widget } from "../shared/types";
import { ColorField, NumberField, Vector } from "./fields";

const KINDS: Record<DisplayKind, string> = {
  card: "card", chart: "chart", gauge: "gauge", label: "label", color: "colour by value", visibility: "shown by value", motion: "turns by value",
};
const FIRST: Record<DisplayKind, Display> = {
  card: { kind: "card" },
  chart: { kind: "chart" },
  gauge: { kind: "gauge", min: 0, max: 100 },
  label: { kind: "label" },
  color: { kind: "color", ranges: [{ from: 80, color: "#e5383b" }] },
  visibility: { kind: "visibility", from: 1 },
  motion: { kind: "motion", axis: "y", factor: 1 },
};

interface Given {
  node: SceneNode;
  /** The part of the model that was clicked last. */
  part: string | null;
  /** The parts that the model has. */
  parts: string[];
  widgets: Widget[];
  /** Widgets that the scene shows and that were deleted. */
  lost: string[];
  onAdd: (binding: Binding) => void;
  onChange: (index: number, binding: Binding | null) => void;
}

export function Bindings({ node, part, parts, widgets, lost, onAdd, onChange }: Given): JSX.Element {
  const titles = new Map(widgets.map((widget) => [widget.id, widget.title]));
  return (
    <section aria-label="Widgets">
      <h3>Widgets</h3>
      {part && <p class="none">Clicked part: <b>{part}</b></p>}
      {node.widgets.map((binding, index) => (
        <BindingForm
          key={`${index} ${binding.widget_id}`}
          title={titles.get(binding.widget_id) ?? (lost.includes(binding.widget_id) ? "Deleted widget" : binding.widget_id)}
          isLost={lost.includes(binding.widget_id)}
          binding={binding}
          part={part}
          parts={parts}
          onChange={(next) => onChange(index, next)}
        />
      ))}
      <select
        aria-label="Bind a widget"
        value=""
        onChange={(event) => {
          const id = event.currentTarget.value;
          event.currentTarget.value = "";
          if (id) onAdd({ widget_id: id, anchor: part ? { node: part } : {}, display: { kind: "card" } });
        }}
      >
        <option value="">{widgets.length === 0 ? "There are no widgets yet: make one in the console" : "Bind a widget …"}</option>
        {widgets.map((widget) => (
          <option key={widget.id} value={widget.id}>{`${widget.title} (${widget.type})`}</option>
        ))}
      </select>
    </section>
  );
}

interface FormGiven {
  title: string;
  isLost: boolean;
  binding: Binding;
  part: string | null;
  parts: string[];
  onChange: (binding: Binding | null) => void;
}

const HUNG: ReadonlySet<DisplayKind> = new Set(["card", "chart", "gauge", "label"]);

function BindingForm({ title, isLost, binding, part, parts, onChange }: FormGiven): JSX.Element {
  const { display, anchor } = binding;
  const at = display.node ?? anchor.node ?? null;
  const hang = (node: string | null): void => {
    const { node: _, ...shown } = display;
    onChange({ ...binding, anchor: { ...anchor, node }, display: shown });
  };
  const set = (fields: Partial<Display>): void => onChange({ ...binding, display: { ...display, ...fields } });
  return (
    <fieldset class="binding">
      <legend>{title}</legend>
      {isLost && <p class="notice warning">This widget was deleted: it shows nothing. Remove it here, or bind another.</p>}
      <div class="row">
        <select aria-label="Shown as" value={display.kind} onChange={(event) => onChange({ ...binding, display: FIRST[event.currentTarget.value as DisplayKind] })}>
          {Object.entries(KINDS).map(([kind, text]) => <option key={kind} value={kind}>{text}</option>)}
        </select>
        <button class="button quiet danger" type="button" onClick={() => onChange(null)} aria-label={`Remove ${title}`}>Remove</button>
      </div>
      {parts.length > 0 && (
        <div class="row">
          <select aria-label="Part of the model" value={at ?? ""} onChange={(event) => hang(event.currentTarget.value || null)}>
            <option value="">whole model</option>
            {parts.filter((name, index) => name && parts.indexOf(name) === index).map((name) => <option key={name} value={name}>{name}</option>)}
          </select>
          {part && part !== at && <button class="button" type="button" onClick={() => hang(part)}>Clicked part</button>}
        </div>
      )}
      {HUNG.has(display.kind) && (
        <Vector label="Offset, m (zeros: on top)" value={anchor.position ?? [0, 0, 0]} onChange={(position) => onChange({ ...binding, anchor: { ...anchor, position } })} />
      )}
      {display.kind === "gauge" && (
        <div class="row">
          <NumberField label="Min" value={display.min} onChange={(min) => set({ min })} />
          <NumberField label="Max" value={display.max} onChange={(max) => set({ max })} />
        </div>
      )}
      {display.kind === "visibility" && (
        <div class="row">
          <NumberField label="From" value={display.from} onChange={(from) => set({ from })} />
          <NumberField label="To" value={display.to} onChange={(to) => set({ to })} />
        </div>
      )}
      {display.kind === "motion" && (
        <div class="row">
          <label class="field">
            <span>Axis</span>
            <select value={display.axis ?? "y"} onChange={(event) => set({ axis: event.currentTarget.value as "x" | "y" | "z" })}>
              {["x", "y", "z"].map((axis) => <option key={axis}>{axis}</option>)}
            </select>
          </label>
          <NumberField label="Turns/min per unit" value={display.factor ?? 1} step={0.001} onChange={(factor) => set({ factor: factor ?? 1 })} />
        </div>
      )}
      {(display.kind === "color" || display.kind === "gauge") && <Ranges ranges={display.ranges ?? []} needed={display.kind === "color"} onChange={(ranges) => set({ ranges })} />}
    </fieldset>
  );
}

function Ranges({ ranges, needed, onChange }: { ranges: ValueRange[]; needed: boolean; onChange: (ranges: ValueRange[]) => void }): JSX.Element {
  const set = (index: number, fields: Partial<ValueRange>): void => onChange(ranges.map((range, at) => (at === index ? { ...range, ...fields } : range)));
  return (
    <div class="ranges">
      {ranges.map((range, index) => (
        <div class="row" key={index}>
          <NumberField label="From" value={range.from} onChange={(from) => set(index, { from })} />
          <NumberField label="To" value={range.to} onChange={(to) => set(index, { to })} />
          <ColorField label="Colour" value={range.color} onChange={(color) => set(index, { color })} />
          {(!needed || ranges.length > 1) && (
            <button class="button quiet danger" type="button" aria-label="Remove this range" onClick={() => onChange(ranges.filter((_, at) => at !== index))}>×</button>
          )}
        </div>
      ))}
      {ranges.length < 20 && (
        <button class="button" type="button" onClick={() => onChange([...ranges, { from: ranges.at(-1)?.to ?? null, color: "#f59e0b" }])}>Add a range</button>
      )}
    </div>
  );
}
