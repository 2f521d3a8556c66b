import { useState } from "preact/hooks";
import { CopyButton } from "../../kit/basics";
import { snippets, withoutTime } from "../../logic/snippets";

/** Ready-made senders; without the secret they hold a place for it. */
export function Snippets(props: { url: string; secret: string | null; example: Record<string, unknown> }) {
  const [chosen, setChosen] = useState(0);
  const all = snippets(props.url, props.secret, withoutTime(props.example));
  const now = all[chosen];
  return (
    <div class="snippets">
      <div class="segmented" role="group" aria-label="Send with">
        {all.map((one, index) => (
          <button key={one.name} type="button" aria-pressed={index === chosen} onClick={() => setChosen(index)}>
            {one.name}
          </button>
        ))}
      </div>
      {now && (
        <>
          <div class="code">
            <pre tabIndex={0} aria-label={`${now.name} snippet`}>
              {now.text}
            </pre>
            <CopyButton text={now.text} label={`${now.name} snippet`} />
          </div>
          <p class="hint">
            {now.about} A reading without <code>ts</code> is of now; add <code>"device"</code> to tell machines apart.
          </p>
        </>
      )}
    </div>
  );
}
