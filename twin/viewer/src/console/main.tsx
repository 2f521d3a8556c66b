import { render } from "preact";

render(<main>Twinfeed</main>, document.getElementById("root")!);
