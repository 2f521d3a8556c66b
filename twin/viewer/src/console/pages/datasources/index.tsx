import { Badge, Empty, Head, Moment } from "../../kit/basics";
import { List } from "../../kit/list";
import { useList } from "../../kit/load";
import { to } from "../../router";
import { may } from "../../session";
import { Detail } from "./detail";
import { Create } from "./create";
import type { Datasource } from "./types";

/** The pages below #/datasources. */
export function Datasources(props: { rest: string[] }) {
  const [id, page] = props.rest;
  if (id === "new") return <Create />;
  return id ? <Detail key={id} id={id} page={page ?? "overview"} /> : <All />;
}

function All() {
  const list = useList<Datasource>("/v1/datasources");
  return (
    <>
      <Head title="Datasources" about="Each has its own address and key, to which devices, gateways and files send readings.">
        {may("write") && (
          <a class="button primary" href={to("datasources", "new")}>
            New datasource
          </a>
        )}
      </Head>
      <section class="panel">
        <List
          label="Datasources"
          list={list}
          id={(one) => one.id}
          columns={[
            {
              title: "Name",
              shape: "wide",
              cell: (one) => (
                <>
                  <a href={to("datasources", one.id)}>{one.name}</a>
                  {one.environment === "test" && <Badge tone="warning">test</Badge>}
                  {one.description && <span class="muted small block">{one.description}</span>}
                </>
              ),
            },
            { title: "Time zone", cell: (one) => one.timezone },
            { title: "Kept for", cell: (one) => (one.retention_days ? `${one.retention_days} days` : "ever") },
            { title: "Created", cell: (one) => <Moment at={one.created_at} /> },
          ]}
          empty={
            <Empty title="No datasource yet">
              <p>A datasource takes in what a machine, a line or a spreadsheet has to tell. Make the first one and send it a reading.</p>
              {may("write") && (
                <a class="button primary" href={to("datasources", "new")}>
                  Create a datasource
                </a>
              )}
            </Empty>
          }
        />
      </section>
    </>
  );
}
