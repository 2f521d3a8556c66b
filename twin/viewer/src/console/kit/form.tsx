// Forms: what was typed, what the server said of each field, and whether an answer is awaited.
import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import type { ApiError } from "../../shared/api";
import { Fault } from "./basics";
import { asFault } from "./load";

export interface Form<T> {
  values: T;
  set: <K extends keyof T>(name: K, value: T[K]) => void;
  change: (values: Partial<T>) => void;
  fault: ApiError | null;
  isBusy: boolean;
  submit: (event: Event) => void;
}

/** A form that sends its values with `send`; what that throws is shown. */
export function useForm<T>(initial: T, send: (values: T) => Promise<void>): Form<T> {
  const [values, setValues] = useState(initial);
  const [fault, setFault] = useState<ApiError | null>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async () => {
    setBusy(true);
    setFault(null);
    try {
      await send(values);
    } catch (error) {
      setFault(asFault(error));
    }
    setBusy(false);
  };
  return {
    values,
    set: (name, value) => setValues((old) => ({ ...old, [name]: value })),
    change: (some) => setValues((old) => ({ ...old, ...some })),
    fault,
    isBusy,
    submit: (event) => {
      event.preventDefault();
      if (!isBusy) void submit();
    },
  };
}

/** Return what the server said of a field, or null. */
export function problemOf(fault: ApiError | null, field: string): string | null {
  return fault?.errors.find((one) => one.key === field)?.message ?? null;
}

export function FormBox<T>(props: {
  form: Form<T>;
  action: string;
  label: string;
  children: ComponentChildren;
  cancel?: (() => void) | string;
  isDanger?: boolean;
}) {
  const { form, cancel } = props;
  return (
    <form class="form" onSubmit={form.submit} aria-label={props.label}>
      {props.children}
      <Fault fault={form.fault} />
      <div class="actions">
        <button class={`button ${props.isDanger ? "danger solid" : "primary"}`} disabled={form.isBusy}>
          {form.isBusy ? "One moment…" : props.action}
        </button>
        {typeof cancel === "string" && (
          <a class="button quiet" href={cancel}>
            Cancel
          </a>
        )}
        {typeof cancel === "function" && (
          <button type="button" class="button quiet" onClick={cancel}>
            Cancel
          </button>
        )}
      </div>
    </form>
  );
}

interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  problem?: string | null;
}

interface Described {
  id: string;
  "aria-describedby"?: string;
  "aria-invalid"?: "true";
}

/** A labelled control with its hint and what is wrong with it. */
export function Field(props: FieldProps & { control: (described: Described) => ComponentChildren }) {
  const id = useId();
  const notes = [props.problem ? `${id}-problem` : "", props.hint ? `${id}-hint` : ""].filter(Boolean).join(" ");
  const described: Described = { id };
  if (notes) described["aria-describedby"] = notes;
  if (props.problem) described["aria-invalid"] = "true";
  return (
    <div class="field">
      <label class="label" for={id}>
        {props.label}
      </label>
      {props.control(described)}
      {props.problem && (
        <p class="problem" id={`${id}-problem`}>
          {props.problem}
        </p>
      )}
      {props.hint && (
        <p class="hint" id={`${id}-hint`}>
          {props.hint}
        </p>
      )}
    </div>
  );
}

interface TextProps extends FieldProps {
  value: string;
  onChange: (value: string) => void;
  type?: "text" | "password" | "number" | "url" | "time" | "datetime-local";
  placeholder?: string;
  required?: boolean;
  choices?: string[];
  autofocus?: boolean;
}

export function TextField(props: TextProps) {
  const listId = useId();
  return (
    <Field
      {...props}
      control={(described) => (
        <>
          <input
            {...described}
            class="input"
            type={(props.type ?? "text") as "text"} // its types know no union here
            step={props.type === "number" ? "any" : undefined}
            value={props.value}
            placeholder={props.placeholder}
            required={props.required}
            autocomplete="off"
            spellcheck={false}
            ref={props.autofocus ? focusOnce : null}
            list={props.choices ? listId : undefined}
            onInput={(event) => props.onChange(event.currentTarget.value)}
          />
          {props.choices && (
            <datalist id={listId}>
              {props.choices.map((choice) => (
                <option key={choice} value={choice} />
              ))}
            </datalist>
          )}
        </>
      )}
    />
  );
}

function focusOnce(input: HTMLElement | null): void {
  if (input && !input.dataset["focused"]) {
    input.dataset["focused"] = "yes";
    input.focus();
  }
}

export function SelectField(
  props: FieldProps & {
    value: string;
    onChange: (value: string) => void;
    options: readonly (readonly [value: string, label: string])[];
    required?: boolean;
  },
) {
  return (
    <Field
      {...props}
      control={(described) => (
        <select
          {...described}
          value={props.value}
          required={props.required}
          onChange={(event) => props.onChange(event.currentTarget.value)}
        >
          {props.options.map(([value, label]) => (
            <option key={value} value={value} selected={value === props.value}>
              {label}
            </option>
          ))}
        </select>
      )}
    />
  );
}

export function CheckField(props: {
  label: ComponentChildren;
  checked: boolean;
  onChange: (checked: boolean) => void;
}) {
  return (
    <label class="check">
      <input type="checkbox" checked={props.checked} onChange={(event) => props.onChange(event.currentTarget.checked)} />
      <span>{props.label}</span>
    </label>
  );
}

/** Several of some: check boxes in a labelled group. */
export function ChecksField(props: {
  label: string;
  options: readonly (readonly [value: string, label: string])[];
  chosen: string[];
  onChange: (chosen: string[]) => void;
  hint?: ComponentChildren;
  problem?: string | null;
}) {
  const switched = (value: string, isOn: boolean) =>
    props.options.map(([one]) => one).filter((one) => (one === value ? isOn : props.chosen.includes(one)));
  return (
    <fieldset class="checks">
      <legend class="label">{props.label}</legend>
      {props.options.map(([value, label]) => (
        <CheckField
          key={value}
          label={label}
          checked={props.chosen.includes(value)}
          onChange={(isOn) => props.onChange(switched(value, isOn))}
        />
      ))}
      {props.problem && <p class="problem">{props.problem}</p>}
      {props.hint && <p class="hint">{props.hint}</p>}
    </fieldset>
  );
}

/** A colour, or none. */
export function ColourField(props: FieldProps & { value: string; onChange: (value: string) => void }) {
  return (
    <Field
      {...props}
      control={(described) => (
        <div class="colour">
          <input
            type="color"
            aria-label={`${props.label}: choose`}
            value={/^#[0-9a-f]{6}$/i.test(props.value) ? props.value : "#888888"}
            onInput={(event) => props.onChange(event.currentTarget.value)}
          />
          <input
            {...described}
            class="input"
            value={props.value}
            placeholder="as its severity"
            onInput={(event) => props.onChange(event.currentTarget.value)}
          />
        </div>
      )}
    />
  );
}
