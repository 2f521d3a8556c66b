import { render } from "preact";
import "../shared/theme.css";
import "./console.css";
import { App } from "./app";
import { followAddress } from "./router";

followAddress();
render(<App />, document.getElementById("root")!);
