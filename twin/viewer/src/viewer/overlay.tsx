// The cards that stand in the 3D picture. Preact makes them, every picture moves them: `layout` says where.
import { useEffect, useRef } from "preact/hooks";
import type { JSX } from "preact";
import { alertOf, rankOf } from "./alerts";
import { Card, Pill } from "./cards";
import { type Box, type Item, layout, leaderEnd, type Place, type Size } from "./layout";
import type { Bound, ViewerState } from "./state";
import type { World } from "./world/world";

/** Displays that have no card: they show on the part itself. */
export const SILENT = new Set(["color", "visibility", "motion"]);

export function shownBounds(state: ViewerState): Bound[] {
  return state.bounds.value.filter((bound) => !SILENT.has(bound.binding.display.kind));
}

const NOWHERE: Size = { width: 0, height: 0 };
const BARS = { top: 52, bottom: 62 };

export function Overlay({ state, world, bars }: { state: ViewerState; world: World; bars: boolean }): JSX.Element {
  const layer = useRef<HTMLDivElement>(null);
  const bounds = shownBounds(state);

  useEffect(() => {
    const mover = new Mover(state, world, layer.current!, bars);
    world.onFrame = () => mover.move();
    world.invalidate();
    return () => {
      mover.close();
      world.onFrame = () => {};
    };
  }, [state, world, bars, bounds]);

  return (
    <div class="overlay" ref={layer}>
        {bounds.map((bound) => (
          <div class="anchored as-hidden" key={bound.id} data-bound={bound.id}>
            <button class="dot" type="button" onClick={() => (state.opened.value = bound.id)}>
              <span class="visually-hidden">{`Open ${bound.node.name ?? bound.node.id}: `}</span>
              <Pill bound={bound} state={state} />
            </button>
            <div
              class="whole"
              tabIndex={0}
              onFocus={() => (state.opened.value = bound.id)}
              onClick={() => (state.opened.value = bound.id)}
              onDblClick={() => world.focus(bound.node.id)}
              onKeyDown={(event) => event.key === "Enter" && world.focus(bound.node.id)}
            >
              <Card bound={bound} state={state} />
            </div>
          </div>
        ))}
    </div>
  );
}

interface Moved {
  bound: Bound;
  element: HTMLElement;
  card: Size;
  pill: Size;
}

/** Moves the cards of one set of bounds. */
class Mover {
  private places: Map<string, Place> = new Map();
  private readonly moved: Moved[];
  private readonly observer: ResizeObserver;

  constructor(
    private readonly state: ViewerState,
    private readonly world: World,
    layer: HTMLElement,
    private readonly bars: boolean,
  ) {
    const bounds = new Map(shownBounds(state).map((bound) => [bound.id, bound]));
    this.moved = [...layer.children].flatMap((element) => {
      const bound = bounds.get((element as HTMLElement).dataset["bound"] ?? "");
      if (!bound) return [];
      return [{ bound, element: element as HTMLElement, card: NOWHERE, pill: NOWHERE }];
    });
    this.observer = new ResizeObserver((entries) => this.measure(entries));
    for (const { element } of this.moved) for (const child of element.children) this.observer.observe(child);
  }

  close(): void {
    this.observer.disconnect();
  }

  private measure(entries: ResizeObserverEntry[]): void {
    for (const { target } of entries) {
      const found = this.moved.find(({ element }) => element === target.parentElement);
      const size = { width: (target as HTMLElement).offsetWidth, height: (target as HTMLElement).offsetHeight };
      if (!found || size.width === 0) continue;
      if (target.classList.contains("dot")) found.pill = size;
      else found.card = size;
    }
    this.world.invalidate();
  }

  move(): void {
    const stage = this.world.canvas.parentElement!;
    const { clientWidth: width, clientHeight: height } = stage;
    const covered = [...stage.querySelectorAll(".alerts, .notices, .editor-panel")].map((panel) => panel.getBoundingClientRect());
    const hides = (box: Box): number => this.world.silhouette.under(box);
    const area = { width, height, top: this.bars ? BARS.top : 0, bottom: this.bars ? BARS.bottom : 0, covered, hides };
    const editing = stage.querySelector(".editor-panel") !== null; // then the handles need the room
    const items = this.moved.map((one) => (editing ? { ...this.item(one), rank: 0 } : this.item(one)));
    this.places = layout(items, area, editing ? 0 : this.world.far, this.places);
    this.world.leaders.clear();
    for (const [index, one] of this.moved.entries()) this.put(one, items[index]!, this.places.get(one.bound.id)!);
  }

  private item({ bound, card, pill }: Moved): Item {
    const spot = this.world.spot(bound) ?? { x: 0, y: 0, distance: 0, visible: false };
    const alert = alertOf(this.state.answer(bound.binding.widget_id).peek());
    const chosen = this.state.opened.peek() === bound.id ? 10 : this.state.selected.peek() === bound.node.id ? 5 : 0;
    return { id: bound.id, ...spot, card, pill, rank: chosen + (alert ? rankOf(alert) : 0) };
  }

  private put({ element, card, pill }: Moved, item: Item, place: Place): void {
    const name = `anchored as-${place.form}`;
    if (element.className !== name) element.className = name;
    if (place.form === "hidden") return;
    const left = Math.round(place.left);
    const top = Math.round(place.top);
    element.style.transform = `translate(${left}px, ${top}px)`;
    if (place.form === "dot") return;
    const size = place.form === "card" ? card : pill;
    this.world.leaders.add(item, leaderEnd(item, { ...place, left, top }, size));
  }
}
