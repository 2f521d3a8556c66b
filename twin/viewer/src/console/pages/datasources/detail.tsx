import { useState } from "preact/hooks";
import { Badge, Card, Copyable, Fault, Head, Loading, Moment, Tabs } from "../../kit/basics";
import { List } from "../../kit/list";
import { useList, useLoad } from "../../kit/load";
import { to } from "../../router";
import { api, may } from "../../session";
import { IngestKeys } from "./ingest-keys";
import { KeyTable } from "./key-table";
import { Settings } from "./settings";
import { Snippets } from "./snippets";
import { Tail } from "./tail";
import type { DatasourceDetail, Device } from "./types";
import { Upload } from "./upload";

/** A datasource, by one of its tabs. */
export function Detail(props: { id: string; page: string }) {
  const { id, page } = props;
  const loaded = useLoad(id, () => api.get<DatasourceDetail>(`/v1/datasources/${id}`));
  const source = loaded.value;
  const back = { href: to("datasources"), label: "Datasources" };
  if (!source) {
    return (
      <>
        <Head title="Datasource" back={back} />
        {loaded.fault ? <Fault fault={loaded.fault} /> : <Loading />}
      </>
    );
  }
  const tab = (name: string, label: string): [string, string, string] => [name, label, to("datasources", id, name)];
  const writes = may("write");
  return (
    <>
      <Head title={source.name} about={source.description} back={back}>
        {source.environment === "test" && <Badge tone="warning">test</Badge>}
        <a class="button" href={`/v1/datasources/${id}/export?format=csv`} download>
          Export CSV
        </a>
      </Head>
      <Tabs
        label="Datasource"
        now={page}
        tabs={[
          tab("overview", "Overview"),
          tab("devices", "Devices"),
          ...(writes ? [tab("upload", "Upload a file")] : []),
          tab("keys", "Ingest keys"),
          ...(writes ? [tab("settings", "Settings")] : []),
        ]}
      />
      {page === "overview" && <Overview source={source} reload={loaded.reload} />}
      {page === "devices" && <Devices id={id} />}
      {page === "upload" && <Upload source={source} />}
      {page === "keys" && <IngestKeys source={source} />}
      {page === "settings" && <Settings source={source} reload={loaded.reload} />}
    </>
  );
}

function Overview(props: { source: DatasourceDetail; reload: () => Promise<void> }) {
  const { source } = props;
  const [newest, setNewest] = useState<DatasourceDetail>(source);
  const shown = newest.readings_total >= source.readings_total && newest.id === source.id ? newest : source;
  return (
    <>
      <Card title="Live">
        <Tail id={source.id} onArrival={setNewest} />
      </Card>
      <Card title="Data keys" about="What the readings hold. Units and labels are shown by widgets.">
        <KeyTable id={source.id} keys={shown.data_keys.length > source.data_keys.length ? shown.data_keys : source.data_keys} reload={props.reload} />
      </Card>
      <Card title="Send readings">
        <Copyable label="Ingestion URL" text={source.ingest_url} />
        <Snippets url={source.ingest_url} secret={null} example={source.example.json} />
      </Card>
    </>
  );
}

function Devices(props: { id: string }) {
  const list = useList<Device>(`/v1/datasources/${props.id}/devices`);
  return (
    <section class="panel">
      <List
        label="Devices"
        list={list}
        id={(one) => one.device}
        columns={[
          {
            title: "Device",
            shape: "wide",
            cell: (one) => one.device || <span class="muted">readings that name none</span>,
          },
          { title: "Last reading", cell: (one) => <Moment at={one.last_reading_at} /> },
          { title: "Known since", cell: (one) => <Moment at={one.created_at} /> },
        ]}
        empty={
          <div class="empty">
            <h3>No device yet</h3>
            <p>
              Devices appear by themselves with their first reading. Name one with <code>"device": "pump-1"</code>.
            </p>
          </div>
        }
      />
    </section>
  );
}
