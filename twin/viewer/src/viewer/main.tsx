import "../shared/theme.css";
import "./viewer.css";
import { render } from "preact";
import { Api, ApiError } from "../shared/api";
import { retryPause } from "../shared/feed";
import type { Scene, Session } from "../shared/types";
import { App, type Options } from "./app";
import { ViewerState } from "./state";
import { Trouble } from "./trouble";

const root = document.getElementById("root")!;
const query = new URLSearchParams(location.search);
const token = query.get("token");
const sceneId = location.pathname.split("/").pop() ?? "";
const api = new Api(token);

async function session(): Promise<Session | null> {
  if (token) return null;
  try {
    return await api.get<Session>("/v1/session");
  } catch {
    return null; // the scene's own answer says what is wrong
  }
}

async function start(tries: number): Promise<void> {
  try {
    const [scene, who] = await Promise.all([api.get<Scene>(`/v1/scenes/${encodeURIComponent(sceneId)}`), session()]);
    const options: Options = { kiosk: query.get("kiosk") === "1", flat: query.get("view") === "2d", session: who };
    render(<App state={new ViewerState(api, scene)} options={options} />, root);
  } catch (error) {
    render(<Trouble reason={error} hasToken={token !== null} />, root);
    if (error instanceof ApiError && error.isPassing) setTimeout(() => void start(tries + 1), retryPause(tries, Math.random()));
  }
}

void start(0);
