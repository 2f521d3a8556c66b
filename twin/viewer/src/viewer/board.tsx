// The same widgets without a third dimension: for browsers without WebGL, and for who prefers it.
import type { JSX } from "preact";
import { Card } from "./cards";
import type { Bound, ViewerState } from "./state";

export function Board({ state, reason }: { state: ViewerState; reason: string | null }): JSX.Element {
  const groups = new Map<string, Bound[]>();
  const seen = new Set<string>();
  for (const bound of state.bounds.value) {
    // A widget that colours and turns a part as well is shown once.
    const key = `${bound.node.id} ${bound.binding.widget_id}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const group = groups.get(bound.node.id) ?? [];
    group.push(bound);
    groups.set(bound.node.id, group);
  }
  return (
    <div class="board" id="board">
      {reason && <p class="board-note" role="status">{reason}</p>}
      {groups.size === 0 && <p class="board-note">No widget is bound to this scene yet.</p>}
      <div class="board-groups">
        {[...groups.entries()].map(([id, bounds]) => (
          <section key={id} class={state.selected.value === id ? "chosen" : ""} id={`node-${id}`}>
            <h2>{bounds[0]!.node.name ?? id}</h2>
            <div class="board-cards">
              {bounds.map((bound) => (
                <Card key={bound.id} bound={bound} state={state} wide={true} />
              ))}
            </div>
          </section>
        ))}
      </div>
    </div>
  );
}
