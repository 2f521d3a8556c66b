// Asking the server from a page: once, page by page, or again and again while somebody looks.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../../shared/api";
import type { Page } from "../../shared/types";
import { api } from "../session";

export const PAGE_SIZE = 20;

export interface Loaded<T> {
  value: T | null;
  fault: ApiError | null;
  reload: () => Promise<void>;
}

export function asFault(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, { message: String(error) });
}

/** Load a value and keep it; `key` tells when it is another one. An older answer never replaces a newer. */
export function useLoad<T>(key: string, load: () => Promise<T>, everyMs: number | null = null): Loaded<T> {
  const [state, setState] = useState<{ key: string; value: T | null; fault: ApiError | null }>({
    key,
    value: null,
    fault: null,
  });
  const asked = useRef(0);
  const latest = useRef(load);
  latest.current = load;
  const reload = useCallback(async () => {
    const number = ++asked.current;
    try {
      const value = await latest.current();
      if (number === asked.current) setState({ key, value, fault: null });
    } catch (error) {
      if (number === asked.current)
        setState((old) => ({ key, value: old.key === key ? old.value : null, fault: asFault(error) }));
    }
  }, [key]);
  useEffect(() => {
    void reload();
    return () => {
      asked.current += 1;
    };
  }, [reload]);
  useEvery(everyMs, reload);
  const isCurrent = state.key === key;
  return { value: isCurrent ? state.value : null, fault: isCurrent ? state.fault : null, reload };
}

/** Do something again and again while the page is looked at; the next time counts from the end of this. */
export function useEvery(everyMs: number | null, act: () => Promise<void>): void {
  useEffect(() => {
    if (everyMs === null) return;
    let timer: ReturnType<typeof setTimeout>;
    let isOver = false;
    const next = () => {
      timer = setTimeout(async () => {
        if (!document.hidden) await act();
        if (!isOver) next();
      }, everyMs);
    };
    next();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [everyMs, act]);
}

export interface Listed<T> extends Loaded<Page<T>> {
  offset: number;
  setOffset: (offset: number) => void;
}

/** Load a list page by page. */
export function useList<T>(
  path: string,
  query: Record<string, string> = {},
  everyMs: number | null = null,
): Listed<T> {
  const key = `${path}?${JSON.stringify(query)}`;
  const [place, setPlace] = useState({ key, offset: 0 });
  const offset = place.key === key ? place.offset : 0;
  const loaded = useLoad(
    `${key}#${offset}`,
    () => api.get<Page<T>>(path, { ...query, limit: PAGE_SIZE, offset }),
    everyMs,
  );
  return { ...loaded, offset, setOffset: (next) => setPlace({ key, offset: next }) };
}

const MOST_PAGES = 5;

/** Return the first 500 items of a list, for choosing among them. */
export async function firstMany<T>(path: string, query: Record<string, string> = {}): Promise<T[]> {
  const items: T[] = [];
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const found = await api.get<Page<T>>(path, { ...query, limit: 100, offset: items.length });
    items.push(...found.items);
    if (items.length >= found.total || found.items.length === 0) break;
  }
  return items;
}
