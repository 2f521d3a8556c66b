import icon from "../../icon.svg";
import { FormBox, TextField, useForm } from "../kit/form";
import { Notice } from "../kit/basics";
import { signIn, signInNotice } from "../session";

/** The page of somebody who is not signed in. */
export function SignIn() {
  const form = useForm({ key: "" }, ({ key }) => signIn(key.trim()));
  return (
    <main class="sign-in">
      <div class="panel card">
        <p class="brand">
          <img src={icon} alt="" width="28" height="28" />
          Twinfeed
        </p>
        <h1>Sign in</h1>
        {signInNotice.value && <Notice tone="info">{signInNotice.value}</Notice>}
        <FormBox form={form} action="Sign in" label="Sign in">
          <TextField
            label="Management key"
            type="password"
            value={form.values.key}
            onChange={(value) => form.set("key", value)}
            placeholder="tf_live_…"
            required
            autofocus
            hint="It is checked once and not kept in this browser. The session ends after 12 hours."
          />
        </FormBox>
        <details>
          <summary>Where do I find a key?</summary>
          <p class="small muted">
            The first admin key is printed when the server starts on an empty database, or given as{" "}
            <code>TWINFEED_ADMIN_KEY</code>. Whoever runs the server makes another with{" "}
            <code>twinfeed keys create</code>.
          </p>
        </details>
      </div>
    </main>
  );
}
