// Who is signed in. The management key goes to the server once and into a cookie that no script can
// read; nothing of it is kept here or in the browser's storage.
import { signal } from "@preact/signals";
import { Api, ApiError, type Asked } from "../shared/api";
import type { Session } from "../shared/types";
import { type Sent, sendFile } from "../shared/upload";

/** undefined: not yet known. */
export const session = signal<Session | null | undefined>(undefined);
export const signInNotice = signal("");

export interface RateLimit {
  limit: number;
  remaining: number;
  resetsAt: number;
}

/** What the session's key may still ask this hour, from the last answer; null: no limit told. */
export const rateLimit = signal<RateLimit | null>(null);

class ConsoleApi extends Api {
  override async raw(method: string, path: string, asked: Asked = {}): Promise<Response> {
    try {
      const response = await super.raw(method, path, asked);
      noteLimit(response.headers);
      return response;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) ended();
      throw error;
    }
  }
}

export const api = new ConsoleApi();

/** Send a large file, telling how far it is. Throws ApiError. */
export async function send<T>(file: File, sent: Sent): Promise<T> {
  try {
    return await sendFile<T>(api, file, sent);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) ended();
    throw error;
  }
}

function noteLimit(headers: Headers): void {
  const limit = headers.get("x-ratelimit-limit");
  if (limit === null) return;
  rateLimit.value = {
    limit: Number(limit),
    remaining: Number(headers.get("x-ratelimit-remaining")),
    resetsAt: Number(headers.get("x-ratelimit-reset")) * 1000,
  };
}

function ended(): void {
  if (session.value) signInNotice.value = "The session has ended. Sign in again.";
  session.value = null;
  rateLimit.value = null;
}

/** Find out whether this browser is signed in. Throws ApiError when the server cannot say. */
export async function findSession(): Promise<void> {
  try {
    session.value = await api.get<Session>("/v1/session");
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
  }
}

/** Throws ApiError. */
export async function signIn(key: string): Promise<void> {
  const made = await new Api().post<Session>("/v1/session", { api_key: key });
  signInNotice.value = "";
  session.value = made;
}

export async function signOut(): Promise<void> {
  await api.delete("/v1/session");
  session.value = null;
  rateLimit.value = null;
}

/** Whether the session's key has a scope; admin has all. */
export function may(scope: "read" | "write" | "admin"): boolean {
  const scopes = session.value?.scopes ?? [];
  return scopes.includes("admin") || scopes.includes(scope);
}
