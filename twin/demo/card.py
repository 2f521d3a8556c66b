"""What the demo prints when everything is set up. Pure."""

from pathlib import Path

import click

from twin.demo.catalog import ALERT, PUMP_LINE
from twin.demo.pump import VIBRATION_LIMIT
from twin.demo.setup import Plant
from twin.demo.state import FILE, State

_READING = '{"device": "my-sensor", "temperature": 21.5}'


def card(base_url: str, plant: Plant, state: State, directory: Path, alert_in_s: float) -> str:
    """Return the whole text: where it runs, ids and keys, and commands to try."""
    lines = [
        "",
        _heading(f"Twinfeed is running on {base_url}"),
        f"  The plant in 3D    {base_url}/viewer/{plant.stage.scene_id}?token={plant.stage.token}",
        f"  Console            {base_url}/  (sign in with the admin key)",
        f"  API documentation  {base_url}/docs",
        f"  Admin key          {state.admin_key}",
        f"  Data and keys      {directory} (keys in {FILE})",
    ]
    for source in plant.sources.values():
        lines += [
            "",
            _heading(f"Datasource '{source.name}', a reading every second"),
            f"  id          {source.id}",
            f"  ingest URL  {base_url}/ingest/{source.id}",
            f"  ingest key  {source.key}",
        ]
    lines += ["", _heading("Try it in another terminal"), *_commands(base_url, plant, state)]
    lines += [
        "",
        f"The pump's strainer clogs: in about {alert_in_s:.0f} s '{ALERT}' fires (vibration above "
        f"{VIBRATION_LIMIT} mm/s),",
        "and is resolved when it is flushed, in cycles. Webhook calls are printed below. "
        "Ctrl-C stops everything.",
        "",
    ]
    return "\n".join(lines)


def _commands(base_url: str, plant: Plant, state: State) -> list[str]:
    pump = plant.sources[PUMP_LINE]
    lines = [
        f'  K="Authorization: Bearer {state.admin_key}"',
        "",
        "  # send a reading",
        f"  curl {base_url}/ingest/{pump.id} -H 'Authorization: Bearer {pump.key}' "
        f"-H 'Content-Type: application/json' -d '{_READING}'",
    ]
    lines += ["", "  # a widget of each type; all of them: /v1/widgets"]
    of_type = {type_: (title, id_) for type_, title, id_ in reversed(pump.widgets)}
    lines += [
        f'  curl -H "$K" {base_url}/v1/widgets/{id_}/data   # {type_}: {title}'
        for type_, (title, id_) in sorted(of_type.items())
    ]
    line = f"{base_url}/v1/data/line?datasource_id={pump.id}&key=pressure&device=pump-1&range=10m"
    return [
        *lines,
        "",
        "  # any key without saving a widget; what the alert did",
        f"  curl -H \"$K\" '{line}'",
        f'  curl -H "$K" {base_url}/v1/alerts/events?alert_id={plant.alert_id}',
    ]


def _heading(text: str) -> str:
    return click.style(text, bold=True)
