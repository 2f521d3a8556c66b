// Live data of a set of widgets through one event stream; while that is away, by polling with ETags.
//
// Invariant: what is handed out of a widget is never older than what was handed out before it, and the
// link says honestly how it is come by.
import { Api, ApiError } from "./api";
import type { WidgetAnswer } from "./types";

/** connecting: nothing came yet; live: by the stream; polling: asked for; offline: no answer; ended: no right. */
export type Link = "connecting" | "live" | "polling" | "offline" | "ended";

export interface FeedEvents {
  onAnswer(widgetId: string, answer: WidgetAnswer): void;
  /** `reason` comes with offline and ended. */
  onLink(link: Link, reason: ApiError | null): void;
}

interface Together {
  widgets: Record<string, WidgetAnswer>;
  etags: Record<string, string>;
}

const POLL_MS = 5000;
const AUDIT_MS = 60_000; // a dead connection that looks open is found by asking this often
const QUIET_MS = 3000; // a stream that comes back sooner than this is not worth a poll
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;
export const WIDGETS_AT_ONCE = 100; // of POST /v1/widgets/data and of a stream

/** Return the pause before try number `tries` (from 0): doubled each time, bounded, spread by `random` (0 to 1). */
export function retryPause(tries: number, random: number): number {
  const pause = Math.min(FIRST_RETRY_MS * 2 ** Math.min(tries, 10), LONGEST_RETRY_MS);
  return pause * (0.75 + 0.5 * random);
}

export class Feed {
  private source: EventSource | null = null;
  private readonly etags: Record<string, string> = {};
  private timer: ReturnType<typeof setTimeout> | undefined;
  private audit: ReturnType<typeof setTimeout> | undefined;
  private tries = 0;
  private polls = 0;
  private closed = false;
  private link: Link = "connecting";
  private readonly ids: string[];

  /** Watches the first 100 of `ids`; `close` when done. */
  constructor(
    private readonly api: Api,
    ids: string[],
    private readonly events: FeedEvents,
  ) {
    this.ids = ids.slice(0, WIDGETS_AT_ONCE);
    addEventListener("online", this.again);
    document.addEventListener("visibilitychange", this.again);
    if (this.ids.length > 0) this.open();
    else this.say("live", null);
  }

  close(): void {
    this.closed = true;
    removeEventListener("online", this.again);
    document.removeEventListener("visibilitychange", this.again);
    this.hangUp();
  }

  private unwind(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private hangUp(): void {
    this.unwind();
    clearTimeout(this.audit);
    this.source?.close();
    this.source = null;
  }

  private readonly again = (): void => {
    if (!this.closed && !document.hidden && this.ids.length > 0 && this.link !== "ended") {
      this.tries = 0;
      if (this.link === "live") void this.look();
      else this.open();
    }
  };

  private say(link: Link, reason: ApiError | null): void {
    this.link = link;
    this.events.onLink(link, reason);
  }

  private open(): void {
    this.hangUp();
    const source = new EventSource(this.api.address("/v1/stream", { widgets: this.ids.join(",") }));
    this.source = source;
    this.polls += 1; // what was asked before is older than what comes now
    source.onopen = () => {
      this.unwind();
      this.tries = 0;
      this.say("live", null);
      this.audit = setTimeout(() => void this.look(), AUDIT_MS);
    };
    source.onmessage = (message: MessageEvent<string>) => {
      const { widget_id, etag, ...answer } = JSON.parse(message.data) as WidgetAnswer & {
        widget_id: string;
        etag: string;
      };
      this.etags[widget_id] = etag;
      this.events.onAnswer(widget_id, answer as WidgetAnswer);
    };
    source.onerror = () => {
      if (source !== this.source) return;
      // The browser tries again by itself unless it gave up, and does not say why.
      clearTimeout(this.audit);
      if (source.readyState === EventSource.CLOSED) void this.poll();
      else this.timer ??= setTimeout(() => void this.poll(), QUIET_MS); // each of its tries fails here anew
    };
  }

  /** Ask while the stream is away, and try the stream again. */
  private async poll(): Promise<void> {
    this.hangUp();
    const asked = await this.ask();
    if (this.closed || asked === "old") return;
    if (asked === "answered") {
      this.say("polling", null);
      this.timer = setTimeout(() => this.open(), Math.min(POLL_MS, retryPause(this.tries++, Math.random())));
    } else if (asked.isPassing) {
      this.say("offline", asked);
      const pause = Math.max((asked.retryAfterS ?? 0) * 1000, retryPause(this.tries++, Math.random()));
      this.timer = setTimeout(() => this.open(), pause);
    } else {
      this.say("ended", asked);
    }
  }

  /** Ask although the stream seems open: when there is something new, the stream is dead. */
  private async look(): Promise<void> {
    clearTimeout(this.audit);
    const before = JSON.stringify(this.etags);
    const asked = await this.ask();
    if (this.closed || asked === "old") return;
    if (asked !== "answered") void this.poll();
    else if (JSON.stringify(this.etags) !== before) this.open();
    else this.audit = setTimeout(() => void this.look(), AUDIT_MS);
  }

  private async ask(): Promise<"answered" | "old" | ApiError> {
    const number = ++this.polls;
    try {
      const body = { ids: this.ids, etags: this.etags };
      const found = await this.api.post<Together>("/v1/widgets/data", body);
      if (number !== this.polls || this.closed) return "old";
      Object.assign(this.etags, found.etags);
      for (const [id, answer] of Object.entries(found.widgets)) this.events.onAnswer(id, answer);
      return "answered";
    } catch (error) {
      if (number !== this.polls) return "old";
      return error instanceof ApiError ? error : new ApiError(0, { message: String(error) });
    }
  }
}
