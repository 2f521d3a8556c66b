// One rule: what it asks, what it says now, what it did; and its form.
import { useState } from "preact/hooks";
import { Badge, Card, Facts, Fault, Head, Loading, Notice } from "../../kit/basics";
import { ActButton, DeleteButton } from "../../kit/dialog";
import { FormBox, useForm } from "../../kit/form";
import { useLoad } from "../../kit/load";
import { useSourceNames } from "../../kit/source-choice";
import { bodyOf, formOf, inWords, NEW_RULE, type Rule } from "../../logic/rule";
import { counted } from "../../logic/words";
import { go, to } from "../../router";
import { api, may } from "../../session";
import { DryRun } from "./dry-run";
import { History } from "./history";
import { AlarmBox } from "./now";
import { RuleFields } from "./rule-fields";
import { StateBadge } from "./rules";
import { SilenceDialog } from "./silences";

const BACK = { href: to("alerts", "rules"), label: "Alert rules" };
const EVERY_MS = 10_000;

export function RulePage(props: { id: string; page: string }) {
  const { id } = props;
  const isEdited = props.page === "edit";
  const loaded = useLoad(id, () => api.get<Rule>(`/v1/alerts/${id}`), isEdited ? null : EVERY_MS);
  const rule = loaded.value;
  if (!rule) {
    return (
      <>
        <Head title="Alert rule" back={BACK} />
        {loaded.fault ? <Fault fault={loaded.fault} /> : <Loading />}
      </>
    );
  }
  return isEdited ? <EditRule rule={rule} onSaved={loaded.reload} /> : <ShowRule rule={rule} fault={loaded.fault} reload={loaded.reload} />;
}

function ShowRule(props: { rule: Rule; fault: Parameters<typeof Fault>[0]["fault"]; reload: () => Promise<void> }) {
  const { rule, reload } = props;
  const [isSilencing, setSilencing] = useState(false);
  const path = `/v1/alerts/${rule.id}`;
  return (
    <>
      <Head title={rule.name} about={inWords(rule)} back={BACK}>
        {may("write") && (
          <>
            <button type="button" class="button" onClick={() => setSilencing(true)}>
              Silence
            </button>
            <ActButton
              act={async () => {
                await api.patch(path, { is_active: !rule.is_active });
                await reload();
              }}
            >
              {rule.is_active ? "Disable" : "Enable"}
            </ActButton>
            <a class="button" href={to("alerts", "rules", rule.id, "edit")}>
              Edit
            </a>
            <DeleteButton
              what={rule.name}
              consequence="What it says now ends. Its history stays."
              onDelete={async () => {
                await api.delete(path);
                go("alerts", "rules");
              }}
            />
          </>
        )}
      </Head>
      {isSilencing && <SilenceDialog rule={rule} device={null} onClose={() => setSilencing(false)} onDone={reload} />}
      <Fault fault={props.fault} />
      {rule.unseen && (
        <Notice tone="warning">
          The datasource has never sent {rule.unseen_keys.join(", ")}: the rule waits for it. Check the spelling if it should have come.
        </Notice>
      )}
      {rule.states.map((state) => (
        <AlarmBox key={state.device} rule={rule} state={state} reload={reload} />
      ))}
      <Card title="Rule">
        <About rule={rule} />
      </Card>
      <h2>History</h2>
      <History ruleId={rule.id} />
    </>
  );
}

function About(props: { rule: Rule }) {
  const { rule } = props;
  const nameOf = useSourceNames();
  const { schedule } = rule;
  return (
    <Facts
      facts={[
        ["State", <StateBadge key="s" rule={rule} />],
        ["Severity", <Badge key="v" tone={rule.severity}>{rule.severity}</Badge>],
        ["Datasource", <a key="d" href={to("datasources", rule.datasource_id)}>{nameOf(rule.datasource_id)}</a>],
        ...(rule.clear_threshold !== null ? [["Ends at", String(rule.clear_threshold)] as [string, string]] : []),
        ...rule.escalation.map((step): [string, string] => [`Becomes ${step.severity}`, `at ${step.threshold}${step.clear_threshold === null ? "" : `, until ${step.clear_threshold}`}`]),
        ...(schedule ? [["Judges", `${schedule.days.join(", ")} from ${schedule.from} to ${schedule.to}, ${schedule.timezone ?? "datasource's time"}`] as [string, string]] : []),
        ["Tells", rule.webhooks.length === 0 ? "nobody" : counted(rule.webhooks.length, "webhook")],
      ]}
    />
  );
}

export function EditRule(props: { rule: Rule | null; onSaved?: () => Promise<void> }) {
  const { rule } = props;
  const form = useForm(rule ? formOf(rule) : NEW_RULE, async (values) => {
    const { datasource_id, ...body } = bodyOf(values);
    if (rule) {
      await api.patch(`/v1/alerts/${rule.id}`, body);
      await props.onSaved?.();
      go("alerts", "rules", rule.id);
    } else {
      const made = await api.post<Rule>("/v1/alerts", { datasource_id, ...body });
      go("alerts", "rules", made.id);
    }
  });
  const back = rule ? { href: to("alerts", "rules", rule.id), label: rule.name } : BACK;
  return (
    <>
      <Head title={rule ? `Edit ${rule.name}` : "New alert rule"} back={back} />
      <Card>
        <FormBox form={form} action={rule ? "Save changes" : "Create rule"} label="Alert rule" cancel={back.href}>
          <RuleFields form={form} isNew={rule === null} />
        </FormBox>
      </Card>
      <DryRun form={form.values} />
    </>
  );
}
