// What is pending or firing at this moment.
import { useState } from "preact/hooks";
import { value as shownValue } from "../../../shared/format";
import { Badge, Empty, Fault, Loading, Moment, Notice, When } from "../../kit/basics";
import { ActButton } from "../../kit/dialog";
import { firstMany, useLoad } from "../../kit/load";
import { alarmsOf } from "../../logic/lists";
import { type DeviceState, inWords, type Rule } from "../../logic/rule";
import { counted } from "../../logic/words";
import { to } from "../../router";
import { api, may } from "../../session";
import { SilenceDialog } from "./silences";

const EVERY_MS = 10_000; // a key with the usual limit lasts its hour
export function Now() {
  const rules = useLoad("now", () => firstMany<Rule>("/v1/alerts"), EVERY_MS);
  if (!rules.value) return rules.fault ? <Fault fault={rules.fault} /> : <Loading />;
  const alarms = alarmsOf(rules.value);
  if (rules.value.length === 0) {
    return (
      <section class="panel">
        <Empty title="No alert rule yet">
          <p>A rule says which values are out of order: above 80 °C, outside a band, rising too fast, or silent for a minute.</p>
          {may("write") && (
            <a class="button primary" href={to("alerts", "rules", "new")}>
              Make a rule
            </a>
          )}
        </Empty>
      </section>
    );
  }
  return (
    <>
      <Fault fault={rules.fault} />
      {alarms.length === 0 ? (
        <Notice tone="ok">
          <strong>All is in order.</strong> {rules.value.length === 1 ? "The one rule is neither pending nor firing." : `None of ${counted(rules.value.length, "rule")} is pending or firing.`}
        </Notice>
      ) : (
        <ul class="alarms" aria-label="Alerts now">
          {alarms.map(({ rule, state }) => (
            <li key={`${rule.id} ${state.device}`}>
              <AlarmBox rule={rule} state={state} reload={rules.reload} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

export function AlarmBox(props: { rule: Rule; state: DeviceState; reload: () => Promise<void> }) {
  const { rule, state } = props;
  const [isSilencing, setSilencing] = useState(false);
  const severity = state.severity ?? rule.severity;
  const isFiring = state.state === "firing";
  return (
    <article class={`panel alarm ${isFiring ? severity : ""}`}>
      <div>
        <h2>
          <Badge tone={isFiring ? severity : ""}>{isFiring ? severity : state.state}</Badge>
          <a href={to("alerts", "rules", rule.id)}>{rule.name}</a>
          {state.device && <span class="muted">{state.device}</span>}
        </h2>
        <p>
          {rule.key} is <strong class="numbers">{shownValue(state.value)}</strong> ({inWords(rule)}), {state.state} since <When at={state.since} />
        </p>
        {state.error && <p class="problem">{state.error}</p>}
        {state.acknowledged_at && (
          <p>
            Acknowledged by {state.acknowledged_by} <When at={state.acknowledged_at} />
          </p>
        )}
        {state.silenced_until && (
          <p>
            Silenced until <Moment at={state.silenced_until} />
          </p>
        )}
      </div>
      {may("write") && (
        <div class="actions">
          {isFiring && !state.acknowledged_at && (
            <ActButton
              tone="primary"
              label={`Acknowledge ${rule.name} ${state.device}`.trim()}
              act={async () => {
                await api.post(`/v1/alerts/${rule.id}/acknowledge`, { device: state.device });
                await props.reload();
              }}
            >
              Acknowledge
            </ActButton>
          )}
          <button type="button" class="button" onClick={() => setSilencing(true)}>
            Silence
          </button>
        </div>
      )}
      {isSilencing && <SilenceDialog rule={rule} device={state.device} onClose={() => setSilencing(false)} onDone={props.reload} />}
    </article>
  );
}
