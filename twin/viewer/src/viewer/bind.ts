// Lets the data move the 3D picture: colours of ranges and alerts, visibility, motion.
import { effect } from "@preact/signals";
import { worst } from "./alerts";
import type { ViewerState } from "./state";
import { alertColor, colorOf, numberOf, spin, within } from "./values";
import type { Look, World } from "./world/world";

const PLAIN: Look = { color: null, glow: 0 };

/** Keep `world` as the data says; call what is returned to end it. */
export function bindWorld(state: ViewerState, world: World): () => void {
  let painted: Painted = new Map();
  const ends = [
    effect(() => {
      void state.loading.value; // a model that arrives is coloured at once,
      void state.broken.value; // and what was made anew
      painted = paintAll(state, world, painted);
    }),
    effect(() => {
      void state.loading.value;
      void state.broken.value;
      moveAll(state, world);
    }),
  ];
  return () => ends.forEach((end) => end());
}

type Painted = Map<string, { nodeId: string; part: string | null; look: Look }>;

/** Colours go by part: of several widgets an alert wins, then the first range that holds. */
function paintAll(state: ViewerState, world: World, before: Painted): Painted {
  const looks: Painted = new Map();
  const answersOf = new Map<string, { nodeId: string; part: string | null; answers: ReturnType<typeof read>[] }>();
  const read = (id: string) => state.answer(id).value;
  for (const { node, binding } of state.bounds.value) {
    const answer = read(binding.widget_id);
    const { display } = binding;
    const part = display.node ?? binding.anchor.node ?? null;
    const key = JSON.stringify([node.id, part]);
    const known = looks.get(key) ?? { nodeId: node.id, part, look: PLAIN };
    const color = display.kind === "color" ? colorOf(numberOf(answer), display.ranges) : null;
    looks.set(key, color && known.look.color === null ? { ...known, look: { color, glow: 0.08 } } : known);
    const told = answersOf.get(key) ?? { nodeId: node.id, part, answers: [] };
    told.answers.push(answer);
    answersOf.set(key, told);
  }
  for (const [key, { nodeId, part, answers }] of answersOf) {
    const alert = worst(answers);
    if (alert) looks.set(key, { nodeId, part, look: { color: alertColor(alert), glow: 0.18 } });
  }
  for (const [key, { nodeId, part }] of before) if (!looks.has(key)) world.colour(nodeId, part, PLAIN);
  // Whole nodes first, then their parts, so that a part's colour stands on the whole's.
  const order = [...looks.values()].sort((a, b) => Number(a.part !== null) - Number(b.part !== null));
  const painted = new Set<string>();
  for (const { nodeId, part, look } of order) {
    if (part !== null && look.color === null && painted.has(nodeId)) continue;
    world.colour(nodeId, part, look);
    if (look.color !== null) painted.add(nodeId);
  }
  return looks;
}

function moveAll(state: ViewerState, world: World): void {
  const { at, playing } = state.travel.value;
  const moves = at === null || playing;
  world.playing = moves;
  world.forgetMotions(new Set(state.bounds.value.filter((bound) => bound.binding.display.kind === "motion").map((bound) => bound.id)));
  for (const bound of state.bounds.value) {
    const { node, binding } = bound;
    const { display } = binding;
    if (display.kind !== "motion" && display.kind !== "visibility") continue;
    const value = numberOf(state.answer(binding.widget_id).value);
    if (display.kind === "motion") world.motion(bound, moves ? spin(display, value) : 0);
    else if (value !== null) world.setVisible(node.id, binding.anchor.node, node.visible && within(value, display));
  }
  world.invalidate();
}
