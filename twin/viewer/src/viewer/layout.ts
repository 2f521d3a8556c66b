// Where cards stand on the screen. Pure: anchors and sizes in pixels go in, places come out.
//
// Greedy, by importance: of the places about its anchor that no other card covers, a card takes the nearest
// that hides little of the plant. The place it had before is left only for one that is clearly better, so
// that cards do not jump while the camera moves. What finds none shrinks to a pill with its value, then to
// a dot. Invariant: no two cards or pills overlap.

export interface Item {
  id: string;
  /** The anchor on the screen. */
  x: number;
  y: number;
  /** From the camera, in metres. */
  distance: number;
  /** In front of the camera. */
  visible: boolean;
  card: Size;
  pill: Size;
  /** Higher goes first: chosen by the reader, in alarm, then the rest. */
  rank: number;
}

export interface Size {
  width: number;
  height: number;
}

export interface Area extends Size {
  /** What bars at the edges cover. */
  top: number;
  bottom: number;
  /** Panels that stand in the picture. */
  covered?: Box[];
  /** Which part of a box lies over the plant, from 0 to 1. */
  hides?: (box: Box) => number;
}

export type Form = "card" | "pill" | "dot" | "hidden";

export interface Place {
  form: Form;
  left: number;
  top: number;
  slot: number;
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const GAPS = [26, 64, 112, 168, 236, 320]; // pixels between anchor and card, ring by ring
const DIRECTIONS: readonly (readonly [number, number])[] = [
  [0, -1],
  [0.72, -0.8],
  [-0.72, -0.8],
  [1, 0],
  [-1, 0],
  [0.72, 0.8],
  [-0.72, 0.8],
  [0, 1],
];
const MARGIN = 6;
const MOST_COVERED = 0.24; // of the picture: behind more cards nobody sees the plant
export const SLOTS = GAPS.length * DIRECTIONS.length;
const PILL_SLOTS = DIRECTIONS.length;
const PILL_GAP = 10;
const HIDING = 900; // pixels that a card goes farther rather than stand before the plant
const STAYING = 110; // pixels by which another place must be better
const OUTSIDE = 40; // an anchor this far outside still keeps its card at the edge

/** Return the place of every item, by id. `far`: cards beyond this distance shrink, unless ranked. */
export function layout(items: Item[], area: Area, far: number, before: ReadonlyMap<string, Place>): Map<string, Place> {
  const taken: Box[] = [...(area.covered ?? [])];
  let room = area.width * area.height * MOST_COVERED;
  const places = new Map<string, Place>();
  const order = [...items].sort((a, b) => b.rank - a.rank || a.distance - b.distance || (a.id < b.id ? -1 : 1));
  for (const item of order) {
    const cost = item.card.width * item.card.height;
    const wantsCard = item.rank > 0 || (room >= cost && near(item, far, before.get(item.id)));
    const place = placed(item, area, wantsCard, before.get(item.id), taken);
    if (place.form === "card") room -= cost;
    places.set(item.id, place);
    if (place.form === "card" || place.form === "pill") {
      taken.push(box(place.left, place.top, place.form === "card" ? item.card : item.pill));
    }
  }
  return places;
}

function near(item: Item, far: number, before: Place | undefined): boolean {
  // What shrank for its distance grows again only a little nearer, or it would flicker.
  return item.distance <= (before?.form === "card" ? far : far * 0.92);
}

function placed(item: Item, area: Area, wantsCard: boolean, before: Place | undefined, taken: Box[]): Place {
  const { x, y } = item;
  const inside = x > -OUTSIDE && y > -OUTSIDE && x < area.width + OUTSIDE && y < area.height + OUTSIDE;
  if (!item.visible || !inside) return { form: "hidden", left: x, top: y, slot: 0 };
  const card = wantsCard ? free(item, item.card, "card", area, before, taken) : null;
  return card ?? free(item, item.pill, "pill", area, before, taken) ?? { form: "dot", left: x, top: y, slot: 0 };
}

function free(item: Item, size: Size, form: "card" | "pill", area: Area, before: Place | undefined, taken: Box[]): Place | null {
  const slots = form === "card" ? SLOTS : PILL_SLOTS;
  const last = before?.form === form ? before.slot : -1;
  let best: Place | null = null;
  let least = Infinity;
  for (let slot = 0; slot < slots; slot++) {
    const gap = form === "card" ? GAPS[Math.floor(slot / DIRECTIONS.length)]! : PILL_GAP;
    if (gap - STAYING >= least) break;
    const [dx, dy] = DIRECTIONS[slot % DIRECTIONS.length]!;
    const left = item.x + dx * (size.width / 2 + gap) - size.width / 2;
    const top = item.y + dy * (size.height / 2 + gap) - size.height / 2;
    const here = box(left, top, size);
    if (!fits(here, area) || taken.some((other) => overlap(here, other))) continue;
    const cost = gap + HIDING * (area.hides?.(here) ?? 0) - (slot === last ? STAYING : 0);
    if (cost >= least) continue;
    least = cost;
    best = { form, left, top, slot };
  }
  return best;
}

function box(left: number, top: number, size: Size): Box {
  return { left, top, right: left + size.width, bottom: top + size.height };
}

function fits(here: Box, area: Area): boolean {
  return (
    here.left >= MARGIN &&
    here.top >= area.top + MARGIN &&
    here.right <= area.width - MARGIN &&
    here.bottom <= area.height - area.bottom - MARGIN
  );
}

function overlap(a: Box, b: Box): boolean {
  return (
    a.left < b.right + MARGIN && b.left < a.right + MARGIN && a.top < b.bottom + MARGIN && b.top < a.bottom + MARGIN
  );
}

/** Return the point of a card's edge that is nearest to its anchor: there the leader line ends. */
export function leaderEnd(item: { x: number; y: number }, place: Place, size: Size): { x: number; y: number } {
  return {
    x: Math.min(Math.max(item.x, place.left), place.left + size.width),
    y: Math.min(Math.max(item.y, place.top), place.top + size.height),
  };
}
