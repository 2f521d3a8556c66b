// Asks the server: with the view token of the page's address, else with the console's session cookie.
import type { ErrorBody, ErrorItem } from "./types";

/** An answer that is an error, or no answer at all (status 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly errors: ErrorItem[];
  readonly retryAfterS: number | null;

  constructor(status: number, body: Partial<ErrorBody>) {
    super(body.message ?? `The server answered ${status}.`);
    this.name = "ApiError";
    this.status = status;
    this.code = body.error ?? "UNKNOWN";
    this.errors = body.errors ?? [];
    this.retryAfterS = body.retry_after ?? null;
  }

  /** Whether asking again may help: the server is away or overloaded. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export interface Asked {
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  body?: BodyInit;
  headers?: Record<string, string>;
  query?: Record<string, QueryValue>;
  signal?: AbortSignal;
}

type QueryValue = string | number | boolean | null | undefined | string[];

/** Return a path with its query; empty values are left out. */
export function withQuery(path: string, query: Record<string, QueryValue> = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") params.append(name, String(one));
    }
  }
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

export class Api {
  /** `token`: a view token; null for the session cookie, which the browser sends by itself. */
  constructor(readonly token: string | null = null) {}

  get<T>(path: string, query: Record<string, QueryValue> = {}, signal?: AbortSignal): Promise<T> {
    return this.ask<T>("GET", path, signal ? { query, signal } : { query });
  }

  post<T>(path: string, json?: unknown, asked: Asked = {}): Promise<T> {
    return this.ask<T>("POST", path, json === undefined ? asked : { ...asked, json });
  }

  put<T>(path: string, json: unknown): Promise<T> {
    return this.ask<T>("PUT", path, { json });
  }

  patch<T>(path: string, json: unknown): Promise<T> {
    return this.ask<T>("PATCH", path, { json });
  }

  delete(path: string, query: Record<string, QueryValue> = {}): Promise<void> {
    return this.ask<void>("DELETE", path, { query });
  }

  /** Ask for JSON. Throws ApiError; AbortError when `signal` says so. */
  async ask<T>(method: string, path: string, asked: Asked = {}): Promise<T> {
    const response = await this.raw(method, path, asked);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  /** Ask for anything; the answer is a success. Throws ApiError. */
  async raw(method: string, path: string, asked: Asked = {}): Promise<Response> {
    const headers: Record<string, string> = { ...asked.headers };
    if (this.token) headers["Authorization"] = `Bearer ${this.token}`;
    const init: RequestInit = { method, headers, credentials: "same-origin" };
    if (asked.signal) init.signal = asked.signal;
    if (asked.body !== undefined) init.body = asked.body;
    if (asked.json !== undefined) {
      init.body = JSON.stringify(asked.json);
      headers["Content-Type"] = "application/json";
    }
    let response: Response;
    try {
      response = await fetch(withQuery(path, asked.query), init);
    } catch (error) {
      if (asked.signal?.aborted) throw error;
      throw new ApiError(0, { error: "UNREACHABLE", message: "The server cannot be reached." });
    }
    if (!response.ok) throw new ApiError(response.status, await errorBody(response));
    return response;
  }

  /** Return an address for what cannot send headers: EventSource, pictures, downloads. */
  address(path: string, query: Record<string, QueryValue> = {}): string {
    return withQuery(path, this.token ? { ...query, token: this.token } : query);
  }
}

async function errorBody(response: Response): Promise<Partial<ErrorBody>> {
  try {
    return (await response.json()) as Partial<ErrorBody>;
  } catch {
    return {};
  }
}

/** Return what went wrong in words, for whoever looks at the page. */
export function inWords(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
