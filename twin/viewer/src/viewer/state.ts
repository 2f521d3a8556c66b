// All that the page shows, as signals; the feed and the time travel write it, the parts read it.
//
// Invariant: a widget's signal holds the answer of the moment that is shown, and of no other one.
import { batch, computed, type Signal, signal } from "@preact/signals";
import { Api, ApiError } from "../shared/api";
import { Feed, type Link } from "../shared/feed";
import type { Binding, Scene, SceneNode, WidgetAnswer } from "../shared/types";
import { alertList, type BoundAlert } from "./alerts";
import { advanced, jumped, LatestWins, LIVE, type Travel } from "./travel";

export type Answer = WidgetAnswer | undefined;

/** A widget on a node. */
export interface Bound {
  /** Unique in the scene. */
  id: string;
  node: SceneNode;
  binding: Binding;
}

interface Together {
  widgets: Record<string, WidgetAnswer>;
}

const PLAY_MS = 250; // how often a played-back moment is asked for

export class ViewerState {
  readonly link = signal<Link>("connecting");
  readonly linkReason = signal<ApiError | null>(null);
  readonly travel = signal<Travel>(LIVE);
  /** The shown moment could not be had, and why. */
  readonly travelError = signal<string | null>(null);
  readonly now = signal(Date.now());
  readonly selected = signal<string | null>(null);
  /** The bound widget that the reader opened. */
  readonly opened = signal<string | null>(null);
  /** What of the models could not be loaded, by node id. */
  readonly broken = signal<ReadonlyMap<string, string>>(new Map());
  readonly loading = signal<{ done: number; total: number }>({ done: 0, total: 0 });
  readonly scene: Signal<Scene>;
  readonly bounds = computed(() => boundsOf(this.scene.value));
  readonly isLive = computed(() => this.travel.value.at === null);
  /** The time that ages are told against. */
  readonly shownNow = computed(() => this.travel.value.at ?? this.now.value);
  readonly alerts = computed<BoundAlert[]>(() =>
    alertList(this.bounds.value, (id) => this.answer(id).value),
  );

  private readonly answers = new Map<string, Signal<Answer>>();
  private readonly latest = new Map<string, WidgetAnswer>();
  private readonly past: LatestWins<number, Together>;
  private feed: Feed | null = null;
  private fed = "";
  private readonly clock: ReturnType<typeof setInterval>;
  private played = 0;

  constructor(
    readonly api: Api,
    scene: Scene,
  ) {
    this.scene = signal(scene);
    this.past = new LatestWins(
      (at) => api.post<Together>("/v1/widgets/data", { ids: this.widgetIds(), at: new Date(at).toISOString() }),
      (_, found) => this.showPast(found),
      (_, error) => (this.travelError.value = error instanceof Error ? error.message : String(error)),
    );
    this.clock = setInterval(() => this.tickClock(), PLAY_MS);
    this.follow();
  }

  close(): void {
    clearInterval(this.clock);
    this.feed?.close();
    this.past.forget();
  }

  /** Return the signal of a widget's answer. */
  answer(widgetId: string): Signal<Answer> {
    let found = this.answers.get(widgetId);
    if (!found) {
      found = signal<Answer>(undefined);
      this.answers.set(widgetId, found);
    }
    return found;
  }

  /** Watch the widgets of the scene as it is now. */
  follow(): void {
    const ids = this.widgetIds();
    if (this.feed && ids.join() === this.fed) return;
    this.fed = ids.join();
    this.feed?.close();
    this.feed = new Feed(this.api, ids, {
      onAnswer: (id, answer) => {
        this.latest.set(id, answer);
        if (this.isLive.value) this.answer(id).value = answer;
      },
      onLink: (link, reason) => batch(() => ((this.link.value = link), (this.linkReason.value = reason))),
    });
  }

  widgetIds(): string[] {
    return [...new Set(this.bounds.value.map((bound) => bound.binding.widget_id))];
  }

  /** Show a moment; now or later is live. */
  goTo(at: number): void {
    this.set(jumped(this.travel.value, at, Date.now()));
  }

  goLive(): void {
    this.set({ ...this.travel.value, at: null, playing: false });
  }

  setTravel(change: Partial<Travel>): void {
    const next = { ...this.travel.value, ...change };
    this.set(next.at === null ? next : jumped(next, next.at, Date.now()));
  }

  private set(next: Travel): void {
    const before = this.travel.value;
    batch(() => {
      this.travel.value = next;
      if (next.at === null && before.at !== null) this.showLatest();
    });
    if (next.at !== null && next.at !== before.at && this.fed) this.past.want(next.at);
  }

  private showLatest(): void {
    this.past.forget();
    this.travelError.value = null;
    for (const [id, answer] of this.latest) this.answer(id).value = answer;
  }

  private showPast(found: Together): void {
    batch(() => {
      this.travelError.value = null;
      for (const [id, answer] of Object.entries(found.widgets)) this.answer(id).value = answer;
    });
  }

  private tickClock(): void {
    const now = Date.now();
    if (Math.floor(now / 1000) !== Math.floor(this.now.value / 1000)) this.now.value = now;
    const travel = this.travel.value;
    if (travel.at !== null && travel.playing && this.played > 0) this.set(advanced(travel, now - this.played, now));
    this.played = now;
  }
}

function boundsOf(scene: Scene): Bound[] {
  return scene.nodes.flatMap((node) =>
    node.widgets.map((binding, index) => ({ id: `${node.id}/${index}`, node, binding })),
  );
}
