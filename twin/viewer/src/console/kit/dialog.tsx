// Questions on top of the page: the browser's own dialog keeps the focus and closes with Escape.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { FormBox, TextField, useForm } from "./form";

export function Dialog(props: { title: string; onClose: () => void; children: ComponentChildren }) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    box.current?.showModal();
  }, []);
  return (
    <dialog ref={box} class="panel dialog" onClose={props.onClose} aria-label={props.title}>
      <div class="dialog-head">
        <h2>{props.title}</h2>
        <button type="button" class="button quiet icon" aria-label="Close" onClick={() => box.current?.close()}>
          ✕
        </button>
      </div>
      {props.children}
    </dialog>
  );
}

/** A button that asks before it deletes; `name` has to be typed where much is lost. */
export function DeleteButton(props: {
  label?: string;
  what: string;
  consequence: string;
  name?: string;
  onDelete: () => Promise<void>;
}) {
  const [isAsked, setAsked] = useState(false);
  const label = props.label ?? "Delete";
  return (
    <>
      <button type="button" class="button danger" onClick={() => setAsked(true)} aria-label={`${label} ${props.what}`}>
        {label}
      </button>
      {isAsked && <Asked {...props} label={label} onClose={() => setAsked(false)} />}
    </>
  );
}

function Asked(props: {
  label: string;
  what: string;
  consequence: string;
  name?: string;
  onDelete: () => Promise<void>;
  onClose: () => void;
}) {
  const [mismatch, setMismatch] = useState<string | null>(null);
  const form = useForm({ typed: "" }, async ({ typed }) => {
    const isMeant = props.name === undefined || typed.trim() === props.name.trim();
    setMismatch(isMeant ? null : `Type exactly: ${props.name}`);
    if (!isMeant) return;
    await props.onDelete();
    props.onClose();
  });
  return (
    <Dialog title={`${props.label} ${props.what}?`} onClose={props.onClose}>
      <FormBox form={form} action={props.label} label={`${props.label} ${props.what}`} cancel={props.onClose} isDanger>
        <p>{props.consequence}</p>
        {props.name !== undefined && (
          <TextField
            label={`Type the name to confirm: ${props.name}`}
            value={form.values.typed}
            onChange={(value) => form.set("typed", value)}
            problem={mismatch}
            autofocus
          />
        )}
      </FormBox>
    </Dialog>
  );
}

/** A button whose press asks the server for something; what goes wrong is said below it. */
export function ActButton(props: { children: ComponentChildren; act: () => Promise<unknown>; tone?: string; label?: string }) {
  const form = useForm(null, async () => {
    await props.act();
  });
  return (
    <>
      <button
        type="button"
        class={`button ${props.tone ?? ""}`}
        disabled={form.isBusy}
        onClick={form.submit}
        aria-label={props.label}
      >
        {props.children}
      </button>
      {form.fault && (
        <span class="problem" role="alert">
          {form.fault.message}
        </span>
      )}
    </>
  );
}
