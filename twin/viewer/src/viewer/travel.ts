// Time travel: which moment is shown, how it moves while it is played back, and asking for it in order.

export const SPEEDS = [1, 10, 60, 300, 600] as const;
export const SPANS = [
  { label: "Hour", ms: 3_600_000 },
  { label: "Day", ms: 86_400_000 },
  { label: "Week", ms: 7 * 86_400_000 },
] as const;

export interface Travel {
  /** The shown moment in ms since 1970; null: now. */
  at: number | null;
  playing: boolean;
  speed: number;
  spanMs: number;
}

export const LIVE: Travel = { at: null, playing: false, speed: 60, spanMs: SPANS[0].ms };

/** Return the travel after `elapsedMs` of playing; a moment that reached now is live again. */
export function advanced(travel: Travel, elapsedMs: number, now: number): Travel {
  if (travel.at === null || !travel.playing) return travel;
  return jumped(travel, travel.at + elapsedMs * travel.speed, now);
}

/** Return the travel at a moment, at most `spanMs` back; live when it is now or later. */
export function jumped(travel: Travel, at: number, now: number): Travel {
  if (at >= now) return { ...travel, at: null, playing: false };
  return { ...travel, at: Math.max(at, now - travel.spanMs) };
}

/** Return where the shown moment lies between the span's begin (0) and now (1). */
export function position(travel: Travel, now: number): number {
  if (travel.at === null) return 1;
  return Math.min(Math.max(1 - (now - travel.at) / travel.spanMs, 0), 1);
}

/** Return the moment at a place of the scrubber (0 to 1); the last thousandth is live. */
export function momentAt(place: number, spanMs: number, now: number): number {
  return place >= 0.999 ? now : now - (1 - Math.max(place, 0)) * spanMs;
}

/**
 * Asks one question at a time, and of those that came meanwhile only the newest. Invariant: answers are
 * delivered in the order of their questions, and none after `forget`.
 */
export class LatestWins<Q, A> {
  private waiting: { question: Q } | null = null;
  private busy = false;
  private era = 0;

  constructor(
    private readonly ask: (question: Q) => Promise<A>,
    private readonly deliver: (question: Q, answer: A) => void,
    private readonly fail: (question: Q, error: unknown) => void,
  ) {}

  want(question: Q): void {
    this.waiting = { question };
    if (!this.busy) void this.work();
  }

  /** Drop what waits, and the answer that is under way. */
  forget(): void {
    this.waiting = null;
    this.era += 1;
  }

  private async work(): Promise<void> {
    this.busy = true;
    while (this.waiting) {
      const { question } = this.waiting;
      const era = this.era;
      this.waiting = null;
      try {
        const answer = await this.ask(question);
        if (era === this.era) this.deliver(question, answer);
      } catch (error) {
        if (era === this.era) this.fail(question, error);
      }
    }
    this.busy = false;
  }
}
