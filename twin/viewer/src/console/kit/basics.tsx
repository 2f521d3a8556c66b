// Small parts that every page is made of.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiError } from "../../shared/api";
import { capital } from "../logic/words";
import { ago, moment } from "../../shared/time";

type Tone = "ok" | "info" | "warning" | "critical";

export function Head(props: {
  title: string;
  about?: ComponentChildren;
  back?: { href: string; label: string };
  children?: ComponentChildren;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${props.title} · Twinfeed`;
  }, [props.title]);
  return (
    <header class="head">
      <div>
        {props.back && (
          <a class="back" href={props.back.href}>
            ← {props.back.label}
          </a>
        )}
        <h1 ref={heading}>{props.title}</h1>
        {props.about && <p class="muted">{props.about}</p>}
      </div>
      {props.children && <div class="actions">{props.children}</div>}
    </header>
  );
}

export function Card(props: {
  title?: string;
  about?: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class="panel card">
      {(props.title || props.actions) && (
        <div class="card-head">
          <div>
            {props.title && <h2>{props.title}</h2>}
            {props.about && <p class="muted small">{props.about}</p>}
          </div>
          {props.actions && <div class="actions">{props.actions}</div>}
        </div>
      )}
      {props.children}
    </section>
  );
}

export function Badge(props: { tone?: Tone | "" | undefined; children: ComponentChildren }) {
  return <span class={`badge ${props.tone ?? ""}`}>{props.children}</span>;
}

export function Notice(props: { tone: Tone; children: ComponentChildren }) {
  return (
    <div class={`notice ${props.tone}`} role={props.tone === "critical" ? "alert" : "status"}>
      {props.children}
    </div>
  );
}

/** An error as the server said it, with every field it names. */
export function Fault(props: { fault: ApiError | null }) {
  const { fault } = props;
  if (!fault) return null;
  const others = fault.errors.filter((one) => one.message !== fault.message);
  return (
    <Notice tone="critical">
      <strong>{fault.message}</strong>
      {others.length > 0 && (
        <ul>
          {others.slice(0, 10).map((one) => (
            <li key={one.message}>
              {one.index !== undefined && `Row ${one.index + 1}: `}
              {one.message}
            </li>
          ))}
        </ul>
      )}
    </Notice>
  );
}

/** What to do where there is nothing yet. */
export function Empty(props: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h3>{props.title}</h3>
      {props.children}
    </div>
  );
}

export function Loading() {
  return (
    <p class="faint loading" role="status">
      Loading…
    </p>
  );
}

/** A time as it is said, with the exact one on hover. */
export function When(props: { at: string | null | undefined; none?: string }) {
  if (!props.at) return <span class="faint">{props.none ?? "never"}</span>;
  return (
    <time dateTime={props.at} title={moment(Date.parse(props.at))}>
      {ago(props.at, Date.now())}
    </time>
  );
}

/** A time to come, or one long ago: the moment itself. */
export function Moment(props: { at: string | null | undefined; none?: string }) {
  if (!props.at) return <span class="faint">{props.none ?? "–"}</span>;
  return <time dateTime={props.at}>{moment(Date.parse(props.at))}</time>;
}

const COPIED_MS = 2000;

export function CopyButton(props: { text: string; label?: string }) {
  const [state, setState] = useState<"" | "copied" | "failed">("");
  useEffect(() => {
    if (!state) return;
    const timer = setTimeout(() => setState(""), COPIED_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(props.text);
      setState("copied");
    } catch {
      setState("failed"); // no clipboard over plain HTTP: the text can be selected
    }
  };
  return (
    <button type="button" class="button copy" onClick={copy} aria-label={`Copy ${props.label ?? ""}`.trim()}>
      <span role="status">{state === "copied" ? "Copied" : state === "failed" ? "Select it" : "Copy"}</span>
    </button>
  );
}

/** A line of text to take along: an address or a secret. */
export function Copyable(props: { label: string; text: string }) {
  return (
    <div class="copyable">
      <span class="label">{props.label}</span>
      <div class="copy-row">
        <code tabIndex={0}>{props.text}</code>
        <CopyButton text={props.text} label={props.label} />
      </div>
    </div>
  );
}

/** A secret that the server tells only now. */
export function ShownOnce(props: { what: string; secret: string; children?: ComponentChildren; onDone?: () => void }) {
  return (
    <div class="once">
      <p>
        <strong>Copy the {props.what} now.</strong> It is stored as a hash only and cannot be shown again.
      </p>
      <Copyable label={capital(props.what)} text={props.secret} />
      {props.children}
      {props.onDone && (
        <div class="actions">
          <button type="button" class="button" onClick={props.onDone}>
            I have copied it
          </button>
        </div>
      )}
    </div>
  );
}

export function Tabs(props: { label: string; now: string; tabs: [name: string, label: string, href: string][] }) {
  return (
    <nav class="tabs" aria-label={props.label}>
      {props.tabs.map(([name, label, href]) => (
        <a key={name} href={href} aria-current={name === props.now ? "page" : undefined}>
          {label}
        </a>
      ))}
    </nav>
  );
}

/** Names and values, one below the other. */
export function Facts(props: { facts: [name: string, value: ComponentChildren][] }) {
  return (
    <dl class="facts">
      {props.facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
