// Figures out of the server's Prometheus exposition.

export type Metrics = Map<string, { labels: Record<string, string>; value: number }[]>;

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Return every sample of an exposition, by name. */
export function readMetrics(text: string): Metrics {
  const found: Metrics = new Map();
  for (const line of text.split("\n")) {
    const match = LINE.exec(line);
    if (!match || line.startsWith("#")) continue;
    const [, name = "", labelText = "", value = ""] = match;
    const labels: Record<string, string> = {};
    for (const [, label = "", content = ""] of labelText.matchAll(LABEL)) labels[label] = content;
    const samples = found.get(name) ?? [];
    samples.push({ labels, value: Number(value) });
    found.set(name, samples);
  }
  return found;
}

/** Return the sum of a metric's samples whose labels are those given; 0 where there is none. */
export function total(metrics: Metrics, name: string, labels: Record<string, string> = {}): number {
  let sum = 0;
  for (const sample of metrics.get(name) ?? [])
    if (Object.entries(labels).every(([label, content]) => sample.labels[label] === content)) sum += sample.value;
  return sum;
}

/** Return what a counter gained per second between two looks; null before the second, or after a restart. */
export function perSecond(before: number | null, now: number, elapsedMs: number): number | null {
  if (before === null || elapsedMs <= 0 || now < before) return null;
  return ((now - before) * 1000) / elapsedMs;
}

/** Return the quantile of a histogram, by the upper bound of the bucket that holds it; null when it is empty. */
export function quantile(metrics: Metrics, name: string, share: number): number | null {
  const buckets = (metrics.get(`${name}_bucket`) ?? [])
    .map(({ labels, value }) => ({ bound: labels["le"] === "+Inf" ? Infinity : Number(labels["le"]), value }))
    .sort((a, b) => a.bound - b.bound);
  const most = buckets.at(-1)?.value ?? 0;
  if (most === 0) return null;
  return buckets.find(({ value }) => value >= share * most)?.bound ?? null;
}
