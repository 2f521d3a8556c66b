// Datasources as the API shows them.

export interface Datasource {
  id: string;
  name: string;
  description: string | null;
  timezone: string;
  retention_days: number | null;
  environment: string;
  ingest_url: string;
  created_at: string;
}

export interface DataKey {
  key: string;
  kind: string | null;
  unit: string | null;
  label: string | null;
  first_seen: string | null;
  last_seen: string | null;
}

export interface Device {
  device: string;
  created_at: string;
  last_reading_at: string | null;
}

export interface DatasourceDetail extends Datasource {
  data_keys: DataKey[];
  devices: Device[];
  devices_total: number;
  last_reading_at: string | null;
  readings_total: number;
  example: { json: Record<string, unknown>; curl: string };
}

export interface IngestKey {
  key_id: string;
  name: string;
  created_at: string;
  expires_at: string | null;
}

export interface CreatedDatasource extends DatasourceDetail {
  api_key: string;
  key_id: string;
}
