// A button that takes a file and says how that went.
import { useId, useState } from "preact/hooks";
import type { ApiError } from "../../shared/api";
import { Fault } from "./basics";
import { asFault } from "./load";

export function FileButton(props: { label: string; accept: string; tone?: string; onFile: (file: File) => Promise<void> }) {
  const id = useId();
  const [isBusy, setBusy] = useState(false);
  const [fault, setFault] = useState<ApiError | null>(null);
  const take = async (file: File | undefined) => {
    if (!file) return;
    setBusy(true);
    setFault(null);
    try {
      await props.onFile(file);
    } catch (error) {
      setFault(asFault(error));
    }
    setBusy(false);
  };
  return (
    <>
      <span class="file-button">
        <input
          id={id}
          type="file"
          class="visually-hidden"
          accept={props.accept}
          disabled={isBusy}
          onChange={(event) => {
            void take(event.currentTarget.files?.[0]);
            event.currentTarget.value = "";
          }}
        />
        <label class={`button ${props.tone ?? ""}`} for={id}>
          {isBusy ? "Sending…" : props.label}
        </label>
      </span>
      <Fault fault={fault} />
    </>
  );
}
