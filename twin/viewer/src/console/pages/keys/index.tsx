import type { ComponentChildren } from "preact";
import { Head, Notice, Tabs } from "../../kit/basics";
import { to } from "../../router";
import { may } from "../../session";
import { Applications } from "./applications";
import { Audit } from "./audit";
import { ManagementKeys } from "./management";

/** The pages below #/keys. */
export function Keys(props: { rest: string[] }) {
  const [page = "management"] = props.rest;
  return (
    <Tabbed now={page}>
      {page === "management" && <ManagementKeys />}
      {page === "applications" && <Applications />}
      {page === "audit" && <Audit />}
    </Tabbed>
  );
}

function Tabbed(props: { now: string; children: ComponentChildren }) {
  return (
    <>
      <Head title="Keys" about="Who may use the API and this console, and what they did. Ingest keys belong to their datasource." />
      <Tabs
        label="Keys"
        now={props.now}
        tabs={[
          ["management", "Management keys", to("keys")],
          ["applications", "Applications", to("keys", "applications")],
          ["audit", "Audit trail", to("keys", "audit")],
        ]}
      />
      {may("admin") ? props.children : <Notice tone="info">This page needs a key with the scope admin. The session's key does not have it.</Notice>}
    </>
  );
}
