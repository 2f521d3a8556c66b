import type { ComponentChildren } from "preact";
import { Head, Tabs } from "../../kit/basics";
import { to } from "../../router";
import { Assets } from "./assets";
import { SceneList } from "./list";
import { ScenePage } from "./scene";

/** The pages below #/scenes. */
export function Scenes(props: { rest: string[] }) {
  const [id] = props.rest;
  if (id === "assets") {
    return (
      <Tabbed now="assets">
        <Assets />
      </Tabbed>
    );
  }
  if (id) return <ScenePage key={id} id={id} />;
  return (
    <Tabbed now="scenes">
      <SceneList />
    </Tabbed>
  );
}

function Tabbed(props: { now: string; children: ComponentChildren }) {
  return (
    <>
      <Head title="Scenes" about="Machines in 3D with live widgets on them." />
      <Tabs
        label="Scenes"
        now={props.now}
        tabs={[
          ["scenes", "Scenes", to("scenes")],
          ["assets", "3D models", to("scenes", "assets")],
        ]}
      />
      {props.children}
    </>
  );
}
