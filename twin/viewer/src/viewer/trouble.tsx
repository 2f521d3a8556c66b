// The page instead of a blank one: why the scene cannot be shown, and what to do.
import type { JSX } from "preact";
import { ApiError } from "../shared/api";

interface Told {
  title: string;
  text: string;
}

/** Return what to tell whoever opened the page. */
export function told(reason: unknown, hasToken: boolean): Told {
  const status = reason instanceof ApiError ? reason.status : -1;
  if (status === 401 && hasToken) {
    return { title: "This link does not work any more", text: "Its view token has expired or was revoked. Ask whoever gave it to you for a new one." };
  }
  if (status === 401) return { title: "Sign in to see this scene", text: "Open the console and sign in, or use a link with a view token." };
  if ((status === 403 || status === 404) && hasToken) {
    return { title: "This link is for another scene", text: "The view token in the address does not open this scene, or the scene was deleted. Check that the address is complete." };
  }
  if (status === 403) return { title: "Not allowed", text: "The key you signed in with may not read scenes." };
  if (status === 404) return { title: "There is no such scene", text: "It was deleted, or it belongs to another organisation." };
  if (status === 429) return { title: "Too many requests", text: reason instanceof ApiError ? reason.message : "" };
  if (status === 0 || status >= 500) return { title: "The server cannot be reached", text: "The page tries again by itself." };
  return { title: "The scene cannot be shown", text: reason instanceof Error ? reason.message : String(reason) };
}

export function Trouble({ reason, hasToken }: { reason: unknown; hasToken: boolean }): JSX.Element {
  const { title, text } = told(reason, hasToken);
  return (
    <main class="trouble">
      <div class="panel" role="alert">
        <svg viewBox="0 0 48 48" width="44" height="44" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linejoin="round" aria-hidden="true">
          <path d="M24 5 40 14v20L24 43 8 34V14zM24 24l16-10M24 24 8 14M24 24v19" opacity=".45" />
          <path d="M24 15v10M24 30.5v.5" stroke-linecap="round" stroke-width="3.4" />
        </svg>
        <h1>{title}</h1>
        <p>{text}</p>
        {!hasToken && <a class="button primary" href="/">Open the console</a>}
      </div>
    </main>
  );
}
