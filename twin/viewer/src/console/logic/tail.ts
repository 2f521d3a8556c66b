// How a live tail asks: how often, and how far back, since readings are answered oldest first.

export const TAIL_ROWS = 12;
export const TAIL_PAGE = 200;

const FIRST_SPAN_S = 60;
const SHORTEST_SPAN_S = 0.001;
const LONGEST_SPAN_S = 366 * 86_400;

/** Return the pause until the next look. Somebody who waits for a first reading looks often; an open
 * page that is forgotten must not use up its key's hour. */
export function tailPause(openForMs: number): number {
  if (openForMs < 60_000) return 1000;
  return openForMs < 300_000 ? 3000 : 15_000;
}

/** Return how far back to read so that a page holds the newest rows, or null when it does.
 * `isCut`: there was more than a page; `rows`: how many there were; spans in seconds. */
export function nextSpan(spanS: number, rows: number, isCut: boolean): number | null {
  if (isCut) return spanS > SHORTEST_SPAN_S ? spanS / 16 : null;
  if (rows >= TAIL_ROWS || spanS >= LONGEST_SPAN_S) return null;
  return Math.min(spanS * 32, LONGEST_SPAN_S);
}

export { FIRST_SPAN_S };

export type Row = Record<string, unknown> & { ts: string; device: string | null };

/** Return the rows newest first, and the keys that any of them holds. */
export function newestFirst(rows: Row[]): { rows: Row[]; keys: string[] } {
  const newest = rows.slice(-TAIL_ROWS).reverse();
  const keys = new Set<string>();
  for (const row of newest)
    for (const [name, value] of Object.entries(row))
      if (name !== "ts" && name !== "device" && value !== null) keys.add(name);
  return { rows: newest, keys: [...keys] };
}
