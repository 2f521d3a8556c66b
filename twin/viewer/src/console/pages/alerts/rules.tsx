import { Badge, Empty } from "../../kit/basics";
import { List } from "../../kit/list";
import { useList } from "../../kit/load";
import { useSourceNames } from "../../kit/source-choice";
import { inWords, type Rule } from "../../logic/rule";
import { to } from "../../router";
import { may } from "../../session";

export function StateBadge(props: { rule: Rule }) {
  const { rule } = props;
  if (!rule.is_active) return <Badge>disabled</Badge>;
  if (rule.state === "firing") return <Badge tone={rule.severity}>firing</Badge>;
  if (rule.unseen) return <Badge tone="warning">key not seen yet</Badge>;
  return <Badge tone={rule.state === "normal" ? "ok" : ""}>{rule.state}</Badge>;
}

const EVERY_MS = 10_000;

/** All rules. */
export function Rules() {
  const list = useList<Rule>("/v1/alerts", {}, EVERY_MS);
  const nameOf = useSourceNames();
  return (
    <section class="panel">
      <List
        label="Alert rules"
        list={list}
        id={(one) => one.id}
        columns={[
          {
            title: "Name",
            shape: "wide",
            cell: (one) => (
              <>
                <a href={to("alerts", "rules", one.id)}>{one.name}</a>
                <span class="muted small block">{inWords(one)}</span>
              </>
            ),
          },
          { title: "Datasource", cell: (one) => nameOf(one.datasource_id) },
          { title: "Severity", cell: (one) => <Badge tone={one.severity}>{one.severity}</Badge> },
          { title: "State", cell: (one) => <StateBadge rule={one} /> },
        ]}
        empty={
          <Empty title="No alert rule yet">
            <p>A rule says which values are out of order, how severe that is, and which webhooks are told.</p>
            {may("write") && (
              <a class="button primary" href={to("alerts", "rules", "new")}>
                Make a rule
              </a>
            )}
          </Empty>
        }
      />
    </section>
  );
}
