import "../shared/theme.css";
import { render } from "preact";

render(<main>Twinfeed viewer</main>, document.getElementById("root")!);
