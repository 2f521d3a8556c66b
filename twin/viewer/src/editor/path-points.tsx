// The points of a pipe, by numbers; one of them may be given to the handles.
import type { JSX } from "preact";
import type { Vec3 } from "../shared/types";
import { Vector } from "./fields";
import { MOST_POINTS, withMoved, withoutPoint, withPoint } from "./path";

interface Given {
  path: Vec3[];
  held: number | null;
  onHold: (point: number | null) => void;
  onChange: (path: Vec3[]) => void;
}

export function Path({ path, held, onHold, onChange }: Given): JSX.Element {
  return (
    <ol class="path" aria-label="Points of the pipe">
      {path.map((point, index) => (
        <li key={index}>
          <Vector label={`Point ${index + 1}, m`} value={point} onChange={(to) => onChange(withMoved(path, index, to))} />
          <div class="row">
            <button class="button" type="button" aria-pressed={held === index} aria-label={`Drag point ${index + 1} in the picture`} onClick={() => onHold(held === index ? null : index)}>
              Drag
            </button>
            <button class="button" type="button" disabled={path.length >= MOST_POINTS} aria-label={`Add after point ${index + 1}`} onClick={() => {
              onChange(withPoint(path, index));
              onHold(index + 1);
            }}>
              Add after
            </button>
            <button class="button quiet danger" type="button" disabled={path.length <= 2} aria-label={`Remove point ${index + 1}`} onClick={() => {
              onChange(withoutPoint(path, index));
              onHold(null);
            }}>
              Remove
            </button>
          </div>
        </li>
      ))}
    </ol>
  );
}
