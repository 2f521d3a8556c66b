// The newest readings of a datasource as they come in.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { ApiError } from "../../../shared/api";
import { value as shownValue } from "../../../shared/format";
import { clock, moment } from "../../../shared/time";
import type { Value } from "../../../shared/types";
import { Fault, When } from "../../kit/basics";
import { asFault, useEvery } from "../../kit/load";
import { FIRST_SPAN_S, newestFirst, nextSpan, type Row, TAIL_PAGE, tailPause } from "../../logic/tail";
import { api } from "../../session";
import type { DatasourceDetail } from "./types";

interface Seen {
  total: number;
  last: string | null;
  rows: Row[];
  keys: string[];
}

async function newestRows(id: string, last: string): Promise<Row[]> {
  const end = Date.parse(last);
  let rows: Row[] = [];
  for (let spanS: number | null = FIRST_SPAN_S; spanS !== null; ) {
    const query = { from: new Date(end - spanS * 1000).toISOString(), limit: TAIL_PAGE };
    const page: { items: Row[]; next_cursor: string | null } = await api.get(`/v1/datasources/${id}/readings`, query);
    const isCut = page.next_cursor !== null;
    if (!isCut || rows.length === 0) rows = page.items;
    spanS = nextSpan(spanS, page.items.length, isCut);
  }
  return rows;
}

/** Watches a datasource; `onArrival` is told of its newest state whenever something came. */
export function Tail(props: { id: string; onArrival?: (detail: DatasourceDetail) => void }) {
  const { id } = props;
  const [seen, setSeen] = useState<Seen | null>(null);
  const [fault, setFault] = useState<ApiError | null>(null);
  const [pauseMs, setPause] = useState(tailPause(0));
  const openedAt = useRef(Date.now());
  const known = useRef("");
  const onArrival = useRef(props.onArrival);
  onArrival.current = props.onArrival;
  const look = useCallback(async () => {
    try {
      const detail = await api.get<DatasourceDetail>(`/v1/datasources/${id}`);
      const state = `${detail.readings_total} ${detail.last_reading_at}`;
      if (state !== known.current) {
        const rows = detail.last_reading_at ? await newestRows(id, detail.last_reading_at) : [];
        if (known.current) onArrival.current?.(detail);
        known.current = state;
        setSeen({ total: detail.readings_total, last: detail.last_reading_at, ...newestFirst(rows) });
      }
      setFault(null);
    } catch (error) {
      setFault(asFault(error));
    }
    setPause(tailPause(Date.now() - openedAt.current));
  }, [id]);
  useEffect(() => {
    void look();
  }, [look]);
  useEvery(pauseMs, look);
  const again = () => {
    openedAt.current = Date.now();
    setPause(tailPause(0));
  };
  return (
    <div class="tail">
      <Fault fault={fault} />
      <p class="tail-state" role="status">
        <span class={`dot ${seen && seen.total > 0 ? "on" : "waiting"}`} />
        {seen === null && "Looking…"}
        {seen?.total === 0 && "Waiting for the first reading…"}
        {seen !== null && seen.total > 0 && (
          <span>
            <strong class="numbers">{seen.total.toLocaleString("en")}</strong> {seen.total === 1 ? "reading" : "readings"},
            the newest <When at={seen.last} />
          </span>
        )}
        {pauseMs > tailPause(0) && (
          <button type="button" class="button quiet" onClick={again}>
            Look more often
          </button>
        )}
      </p>
      {seen !== null && seen.rows.length > 0 && <Rows rows={seen.rows} keys={seen.keys} />}
      {seen?.total === 0 && <p class="hint">What arrives shows here within a second or two.</p>}
    </div>
  );
}

const MOST_COLUMNS = 8;

function Rows(props: { rows: Row[]; keys: string[] }) {
  const keys = props.keys.slice(0, MOST_COLUMNS);
  const hidden = props.keys.length - keys.length;
  const isToday = (ts: string) => new Date(ts).toDateString() === new Date().toDateString();
  return (
    <div class="scroll">
      <table class="tail-rows" aria-label="Newest readings">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Device</th>
            {keys.map((key) => (
              <th scope="col" key={key} class="end">
                {key}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row) => (
            <tr key={`${row.ts} ${row.device}`}>
              <td class="numbers">{isToday(row.ts) ? clock(Date.parse(row.ts)) : moment(Date.parse(row.ts))}</td>
              <td>{row.device || <span class="faint">–</span>}</td>
              {keys.map((key) => (
                <td key={key} class="end numbers">
                  {shownValue(row[key] as Value | undefined)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {hidden > 0 && <p class="hint">and {hidden === 1 ? "one more key" : `${hidden} more keys`}</p>}
    </div>
  );
}
