import type { ComponentChildren } from "preact";
import { Head, Tabs } from "../../kit/basics";
import { to } from "../../router";
import { may } from "../../session";
import { History } from "./history";
import { Now } from "./now";
import { EditRule, RulePage } from "./rule";
import { Rules } from "./rules";
import { Silences } from "./silences";

/** The pages below #/alerts. */
export function Alerts(props: { rest: string[] }) {
  const [page = "now", id] = props.rest;
  if (page === "rules" && id === "new") return <EditRule rule={null} />;
  if (page === "rules" && id) return <RulePage key={id} id={id} page={props.rest[2] ?? ""} />;
  return (
    <Tabbed now={page}>
      {page === "now" && <Now />}
      {page === "rules" && <Rules />}
      {page === "history" && <History />}
      {page === "silences" && <Silences />}
    </Tabbed>
  );
}

function Tabbed(props: { now: string; children: ComponentChildren }) {
  return (
    <>
      <Head title="Alerts" about="Rules judge every reading as it is stored, for each device by itself.">
        {may("write") && (
          <a class="button primary" href={to("alerts", "rules", "new")}>
            New rule
          </a>
        )}
      </Head>
      <Tabs
        label="Alerts"
        now={props.now}
        tabs={[
          ["now", "Now", to("alerts")],
          ["rules", "Rules", to("alerts", "rules")],
          ["history", "History", to("alerts", "history")],
          ["silences", "Silences", to("alerts", "silences")],
        ]}
      />
      {props.children}
    </>
  );
}
