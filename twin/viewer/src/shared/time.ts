// Times as people read them, in the browser's zone.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Return how long ago `then` is: "now", "12 s", "5 min", "3 h", "2 d". Milliseconds since 1970. */
export function age(then: number, now: number): string {
  const ms = Math.max(now - then, 0);
  if (ms < 2 * SECOND) return "now";
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/** Return "5 min ago", or "now"; "–" for no time. */
export function ago(text: string | null | undefined, now: number): string {
  if (!text) return "–";
  const told = age(Date.parse(text), now);
  return told === "now" ? "now" : `${told} ago`;
}

const pad = (number: number): string => String(number).padStart(2, "0");

/** Return "14:03:07". */
export function clock(ms: number): string {
  const at = new Date(ms);
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

/** Return "2026-11-20 14:03:07". */
export function moment(ms: number): string {
  const at = new Date(ms);
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${clock(ms)}`;
}

/** Return a moment short enough for an axis that spans `spanMs`: "14:03", "20 Nov", "20 Nov 14:03". */
export function tick(ms: number, spanMs: number): string {
  const at = new Date(ms);
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}`;
  if (spanMs <= 2 * MINUTE) return clock(ms);
  if (spanMs <= DAY) return time;
  const day = `${at.getDate()} ${at.toLocaleString("en", { month: "short" })}`;
  return spanMs <= 4 * DAY ? `${day} ${time}` : day;
}
