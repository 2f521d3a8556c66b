// What the server says of a file that was looked at and not stored.
import type { ErrorItem } from "../../shared/types";

export interface Taken {
  name: string;
  role: "time" | "device" | "key" | "left out";
  kind?: string;
  format?: string;
}

export interface Judged {
  accepted: number;
  rejected: number;
  errors: ErrorItem[];
  columns?: Taken[];
}

const MEDIA: Record<string, string> = {
  csv: "text/csv",
  txt: "text/csv",
  tsv: "text/csv",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  parquet: "application/vnd.apache.parquet",
  arrow: "application/vnd.apache.arrow.stream",
  ndjson: "application/x-ndjson",
  jsonl: "application/x-ndjson",
  json: "application/json",
};

export const ENDINGS = Object.keys(MEDIA).map((ending) => `.${ending}`);

/** Return a file's Content-Type by its name's ending, or null when the server takes no such file. */
export function mediaOf(name: string): string | null {
  const ending = name.toLowerCase().split(".").at(-1) ?? "";
  return MEDIA[ending] ?? null;
}

const ROLES: Record<Taken["role"], string> = {
  time: "time of the reading",
  device: "name of the device",
  key: "values",
  "left out": "left out",
};

const KINDS: Record<string, string> = { number: "numbers", boolean: "yes or no", text: "text" };

/** Return how a column will be read, in words. */
export function inWords(column: Taken): string {
  const what = column.role === "key" && column.kind ? (KINDS[column.kind] ?? column.kind) : ROLES[column.role];
  return column.format ? `${what} (${column.format})` : what;
}
