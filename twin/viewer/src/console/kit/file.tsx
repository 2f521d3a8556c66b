// A button that takes a file and says how that went.
import { useId, useState } from "preact/hooks";
import type { ApiError } from "../../shared/api";
import { Fault } from "./basics";
import { asFault } from "./load";

export function FileButton(props: { label: string; accept: string; tone?: string; onFile: (file: File, onPart: (part: number) => void) => Promise<void> }) {
  const id = useId();
  const [part, setPart] = useState<number | null>(null);
  const [fault, setFault] = useState<ApiError | null>(null);
  const take = async (file: File | undefined) => {
    if (!file) return;
    setPart(0);
    setFault(null);
    try {
      await props.onFile(file, setPart);
    } catch (error) {
      setFault(asFault(error));
    }
    setPart(null);
  };
  return (
    <>
      <span class="file-button">
        <input
          id={id}
          type="file"
          class="visually-hidden"
          accept={props.accept}
          disabled={part !== null}
          onChange={(event) => {
            void take(event.currentTarget.files?.[0]);
            event.currentTarget.value = "";
          }}
        />
        <label class={`button ${props.tone ?? ""}`} for={id}>
          {part === null ? props.label : part < 1 ? `Sending ${Math.round(part * 100)} %` : "Checking…"}
        </label>
      </span>
      <Fault fault={fault} />
    </>
  );
}
