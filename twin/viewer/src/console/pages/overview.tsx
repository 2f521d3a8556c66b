// The first page: whether all is well, and what to do next.
import { useRef } from "preact/hooks";
import { number } from "../../shared/format";
import { clock } from "../../shared/time";
import type { Page } from "../../shared/types";
import { Badge, Card, Fault, Head, Loading } from "../kit/basics";
import { useLoad } from "../kit/load";
import { type Metrics, perSecond, quantile, readMetrics, total } from "../logic/exposition";
import { to } from "../router";
import { api, rateLimit } from "../session";

interface Health {
  status: string;
  version: string;
  home: string;
  database: { postgresql: string; timescaledb: string | null };
}

interface Look {
  health: Health;
  metrics: Metrics | null;
  readings: number | null;
}

const EVERY_MS = 10_000;

async function metricsText(): Promise<string | null> {
  try {
    return await (await api.raw("GET", "/metrics")).text();
  } catch {
    return null; // a proxy may keep them to itself
  }
}

export function Overview() {
  const before = useRef<{ at: number; readings: number } | null>(null);
  const look = useLoad(
    "health",
    async (): Promise<Look> => {
      const [health, text] = await Promise.all([api.get<Health>("/health"), metricsText()]);
      const metrics = text === null ? null : readMetrics(text);
      const now = { at: Date.now(), readings: metrics ? total(metrics, "twinfeed_ingest_readings_total", { outcome: "accepted" }) : 0 };
      const last = before.current;
      before.current = now;
      return { health, metrics, readings: last && perSecond(last.readings, now.readings, now.at - last.at) };
    },
    EVERY_MS,
  );
  return (
    <>
      <Head title="Overview" about="Usage and health of this server." />
      <Steps />
      <Fault fault={look.fault} />
      {!look.value && !look.fault && <Loading />}
      {look.value && <Figures look={look.value} />}
    </>
  );
}

const STEPS = [
  ["datasources", "Datasources", "Create a datasource and send it a reading", "/v1/datasources"],
  ["widgets", "Widgets", "Show its values as a line, bars or numbers", "/v1/widgets"],
  ["alerts", "Alert rules", "Be told when a value leaves its limits", "/v1/alerts"],
  ["scenes", "Scenes", "Put the widgets on machines in 3D", "/v1/scenes"],
] as const;

function Steps() {
  const counts = useLoad("counts", () =>
    Promise.all(STEPS.map(async ([, , , path]) => (await api.get<Page<unknown>>(path, { limit: 1 })).total)),
  );
  if (!counts.value) return counts.fault ? <Fault fault={counts.fault} /> : null;
  return (
    <ol class="steps">
      {STEPS.map(([page, label, todo], index) => {
        const count = counts.value?.[index] ?? 0;
        return (
          <li key={page}>
            <a class="panel step" href={to(page)}>
              <span class="label">{label}</span>
              <strong class="numbers">{count.toLocaleString("en")}</strong>
              <span class="small muted">{count === 0 ? todo : `See ${label.toLowerCase()}`}</span>
            </a>
          </li>
        );
      })}
    </ol>
  );
}

function Figures(props: { look: Look }) {
  const { health, metrics, readings } = props.look;
  const limit = rateLimit.value;
  const of = (name: string, labels: Record<string, string> = {}) => (metrics ? total(metrics, name, labels) : null);
  const shown = (value: number | null) => (value === null ? "–" : number(value));
  const waiting = of("twinfeed_alert_outbox_deliveries");
  const circuits = of("twinfeed_alert_open_circuits");
  const commit = metrics && quantile(metrics, "twinfeed_ingest_request_seconds", 0.95);
  const figures: [string, string, string][] = [
    ["Readings per second", shown(readings), "accepted, over the last seconds"],
    ["Readings accepted", shown(of("twinfeed_ingest_readings_total", { outcome: "accepted" })), `${shown(of("twinfeed_ingest_readings_total", { outcome: "rejected" }))} rejected, since the start`],
    ["Ingest answer", commit === null || commit === Infinity ? "–" : `≤ ${number(commit * 1000)} ms`, "for 95 % of the requests"],
    ["Alerts to be told", shown(waiting), circuits ? `${circuits} receivers do not answer` : "waiting in the outbox"],
    ["Live viewers", shown(of("twinfeed_stream_subscribers")), "open event streams"],
    ["Rows in the buffer", shown(of("twinfeed_ingest_buffer_rows")), `of ${shown(of("twinfeed_ingest_buffer_max_rows"))}`],
  ];
  return (
    <>
      <Card
        title="Server"
        actions={<Badge tone={health.status === "ok" ? "ok" : "critical"}>{health.status === "ok" ? "Healthy" : health.status}</Badge>}
      >
        {metrics ? (
          <dl class="figures">
            {figures.map(([name, value, note]) => (
              <div key={name}>
                <dt class="label">{name}</dt>
                <dd>
                  <strong class="numbers">{value}</strong>
                  <span class="small faint">{note}</span>
                </dd>
              </div>
            ))}
          </dl>
        ) : (
          <p class="muted">The server's figures at /metrics are not open to this browser.</p>
        )}
        <p class="small muted">
          Twinfeed {health.version} on PostgreSQL {health.database.postgresql}
          {health.database.timescaledb && ` with TimescaleDB ${health.database.timescaledb}`} ({health.home})
        </p>
      </Card>
      <Card title="This session's key">
        {limit ? (
          <p>
            <strong class="numbers">
              {limit.remaining.toLocaleString("en")} of {limit.limit.toLocaleString("en")}
            </strong>{" "}
            requests are left until {clock(limit.resetsAt)}. Readings, widget data and streams are not counted.
          </p>
        ) : (
          <p class="muted">The key has no limit on requests.</p>
        )}
      </Card>
    </>
  );
}
