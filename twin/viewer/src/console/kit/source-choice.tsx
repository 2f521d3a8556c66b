// Choosing a datasource, and what is known of the chosen one.
import type { DatasourceDetail, Datasource } from "../pages/datasources/types";
import { api } from "../session";
import { SelectField } from "./form";
import { firstMany, useLoad } from "./load";

export function SourceField(props: { value: string; onChange: (id: string) => void; problem?: string | null }) {
  const sources = useLoad("sources", () => firstMany<Datasource>("/v1/datasources"));
  const options = (sources.value ?? []).map((one) => [one.id, one.name] as const);
  return (
    <SelectField
      label="Datasource"
      required
      value={props.value}
      onChange={props.onChange}
      problem={props.problem ?? null}
      options={[["", sources.value?.length === 0 ? "There is none yet" : "Choose…"], ...options]}
    />
  );
}

export interface Known {
  keys: string[];
  devices: string[];
}

/** Keys and devices of a datasource, to choose from; empty while there are none. */
export function useKnown(id: string): Known {
  const found = useLoad(`known ${id}`, async () => (id ? await api.get<DatasourceDetail>(`/v1/datasources/${id}`) : null));
  return {
    keys: found.value?.data_keys.map((one) => one.key) ?? [],
    devices: found.value?.devices.map((one) => one.device).filter(Boolean) ?? [],
  };
}

/** Names of datasources by their ids, for lists. */
export function useSourceNames(): (id: string) => string {
  const sources = useLoad("source names", () => firstMany<Datasource>("/v1/datasources"));
  const names = new Map(sources.value?.map((one) => [one.id, one.name]));
  return (id) => names.get(id) ?? "…";
}
