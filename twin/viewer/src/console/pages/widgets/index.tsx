import { useEffect, useState } from "preact/hooks";
import type { ApiError } from "../../../shared/api";
import type { Widget, WidgetData } from "../../../shared/types";
import { Badge, Card, Empty, Fault, Head, Loading, Moment } from "../../kit/basics";
import { Shown } from "../../kit/chart";
import { DeleteButton } from "../../kit/dialog";
import { FormBox, useForm } from "../../kit/form";
import { List } from "../../kit/list";
import { asFault, useList, useLoad } from "../../kit/load";
import { useSourceNames } from "../../kit/source-choice";
import { formOf, NEW_WIDGET, previewQuery, shows, specOf, TYPES, type WidgetForm } from "../../logic/widget";
import { go, to } from "../../router";
import { api, may } from "../../session";
import { WidgetFields } from "./fields";

const BACK = { href: to("widgets"), label: "Widgets" };

/** The pages below #/widgets. */
export function Widgets(props: { rest: string[] }) {
  const [id] = props.rest;
  if (id === "new") return <Edit widget={null} />;
  return id ? <One key={id} id={id} /> : <All />;
}

function All() {
  const list = useList<Widget>("/v1/widgets");
  const nameOf = useSourceNames();
  const typeName = new Map(TYPES);
  return (
    <>
      <Head title="Widgets" about="What a scene, a report or another program shows of a datasource.">
        {may("write") && (
          <a class="button primary" href={to("widgets", "new")}>
            New widget
          </a>
        )}
      </Head>
      <section class="panel">
        <List
          label="Widgets"
          list={list}
          id={(one) => one.id}
          columns={[
            {
              title: "Title",
              shape: "wide",
              cell: (one) => (
                <>
                  <a href={to("widgets", one.id)}>{one.title}</a>
                  <span class="muted small block">{shows(one)}</span>
                </>
              ),
            },
            { title: "Type", cell: (one) => <Badge>{typeName.get(one.type)}</Badge> },
            { title: "Datasource", cell: (one) => nameOf(one.datasource_id) },
            { title: "Changed", cell: (one) => <Moment at={String(one["updated_at"])} /> },
          ]}
          empty={
            <Empty title="No widget yet">
              <p>A widget shows one datasource's values as a line, as bars, or as one or two large numbers. It is drawn while you choose.</p>
              {may("write") && (
                <a class="button primary" href={to("widgets", "new")}>
                  Make a widget
                </a>
              )}
            </Empty>
          }
        />
      </section>
    </>
  );
}

function One(props: { id: string }) {
  const loaded = useLoad(props.id, () => api.get<Widget>(`/v1/widgets/${props.id}`));
  if (loaded.value) return <Edit widget={loaded.value} />;
  return (
    <>
      <Head title="Widget" back={BACK} />
      {loaded.fault ? <Fault fault={loaded.fault} /> : <Loading />}
    </>
  );
}

function Edit(props: { widget: Widget | null }) {
  const { widget } = props;
  const form = useForm<WidgetForm>(widget ? formOf(widget) : NEW_WIDGET, async (values) => {
    const spec = specOf(values);
    if (widget) await api.patch(`/v1/widgets/${widget.id}`, spec);
    else await api.post("/v1/widgets", Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== null)));
    go("widgets");
  });
  return (
    <>
      <Head title={widget ? widget.title : "New widget"} back={BACK}>
        {widget && (
          <a class="button" href={`/v1/widgets/${widget.id}/image.svg`} target="_blank" rel="noreferrer">
            As a picture
          </a>
        )}
        {widget && may("write") && (
          <DeleteButton
            what={widget.title}
            consequence="Scenes that show it lose it. Readings stay."
            onDelete={async () => {
              await api.delete(`/v1/widgets/${widget.id}`);
              go("widgets");
            }}
          />
        )}
      </Head>
      <div class="beside">
        <Card>
          <FormBox form={form} action={widget ? "Save changes" : "Create widget"} label="Widget" cancel={to("widgets")}>
            <WidgetFields form={form} />
          </FormBox>
        </Card>
        <div class="preview-card">
          <Card title={form.values.title || "Preview"} about="Live, as it would be shown.">
            <Preview form={form.values} />
          </Card>
        </div>
      </div>
    </>
  );
}

const TYPING_MS = 350;
const EVERY_MS = 2000; // widget data is not counted against the key

function Preview(props: { form: WidgetForm }) {
  const [data, setData] = useState<WidgetData | null>(null);
  const [fault, setFault] = useState<ApiError | null>(null);
  const query = previewQuery(props.form);
  const question = query && JSON.stringify([props.form.type, query]);
  useEffect(() => {
    if (question === null) return setData(null);
    const [type, asked] = JSON.parse(question) as [string, Record<string, string | string[]>];
    const cut = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      try {
        if (!document.hidden) {
          setData(await api.get<WidgetData>(`/v1/data/${type}`, asked, cut.signal));
          setFault(null);
        }
      } catch (error) {
        if (cut.signal.aborted) return;
        setFault(asFault(error));
      }
      if (!cut.signal.aborted) timer = setTimeout(() => void ask(), EVERY_MS);
    };
    timer = setTimeout(() => void ask(), TYPING_MS);
    return () => {
      cut.abort();
      clearTimeout(timer);
    };
  }, [question]);
  if (question === null) return <p class="muted">Choose a datasource and a key to see values here.</p>;
  return (
    <>
      <Fault fault={fault} />
      {data && !fault && <Shown data={data} />}
      {!data && !fault && <p class="faint">Asking…</p>}
    </>
  );
}
