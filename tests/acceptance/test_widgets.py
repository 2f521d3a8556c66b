"""Widgets as a viewer sees them: saved and ad-hoc, polled, as of a moment, with their alert."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from support.server import Datasource, RunningServer

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def plant(server: RunningServer) -> Datasource:
    """A datasource with an hour of two pumps: one reading a minute, rpm 0 … 59 and 100 … 159."""
    source = server.datasource("pumps", data_keys=[{"key": "rpm", "unit": "1/min"}])
    readings = [
        {
            "ts": text(NOON + timedelta(minutes=i)),
            "device": device,
            "values": {"rpm": first + i, "state": "RUN" if i < 45 else "STOP", "on": i % 2 == 0},
        }
        for i in range(60)
        for device, first in (("north", 0), ("south", 100))
    ]
    answer = source.post(readings)
    assert answer.json()["accepted"] == 120, answer.text
    return source


HOUR = {"from": text(NOON), "to": text(NOON + timedelta(hours=1))}


def save(server: RunningServer, source: Datasource, **fields: Any) -> dict[str, Any]:
    spec = {"type": "line", "title": "Speed", "datasource_id": source.id, "key": "rpm", **fields}
    answer = server.post("/v1/widgets", spec)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_line_shows_an_hour_in_quarters(server: RunningServer) -> None:
    source = plant(server)
    line = source.data("line", key="rpm", device="north", bucket="15m", **HOUR)
    assert line == {
        "type": "line",
        "title": "rpm",
        "unit": "1/min",
        "from": "2026-03-10T12:00:00Z",
        "to": "2026-03-10T13:00:00Z",
        "bucket_seconds": 900,
        "labels": [text(NOON + timedelta(minutes=m)) for m in (0, 15, 30, 45)],
        "values": [7.0, 22.0, 37.0, 52.0],
        "min": [0.0, 15.0, 30.0, 45.0],
        "max": [14.0, 29.0, 44.0, 59.0],
        "alert": None,
    }
    pooled = source.data("line", key="rpm", bucket="1h", agg="count", **HOUR)
    assert pooled["values"] == [120]


@pytest.mark.parametrize(
    ("agg", "value"),
    [
        ("avg", 29.5),
        ("min", 0),
        ("max", 59),
        ("sum", 1770),
        ("count", 60),
        ("first", 0),
        ("last", 59),
        ("median", 29.5),
        ("p95", 56.05),
        ("p99", 58.41),
        ("delta", 59),
        ("rate", 1 / 60),
    ],
)
def test_every_aggregate(server: RunningServer, agg: str, value: float) -> None:
    source = plant(server)
    single = source.data("single", key="rpm", device="north", agg=agg, **HOUR)
    assert single["value"] == pytest.approx(value)
    bar = source.data("bar", key="rpm", device="north", agg=agg, bucket="1h", **HOUR)
    assert bar["values"] == [pytest.approx(value)]


def test_bars_by_time_device_and_label(server: RunningServer) -> None:
    source = plant(server)
    by_time = source.data("bar", key="rpm", agg="max", bucket="30m", **HOUR)
    assert by_time["values"] == [129, 159]
    by_device = source.data("bar", key="rpm", group_by="device", agg="min", **HOUR)
    assert (by_device["labels"], by_device["values"]) == (["north", "south"], [0, 100])
    by_label = source.data("bar", key="state", group_by="label", **HOUR)
    assert (by_label["labels"], by_label["values"]) == (["RUN", "STOP"], [90, 30])


def test_bars_are_local_days_of_25_hours(server: RunningServer) -> None:
    source = server.datasource("clock change")
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)  # midnight in Berlin
    hours = [{"ts": text(start + timedelta(hours=i)), "x": 1} for i in range(50)]
    assert source.post(hours).status_code == 200
    bar = source.data(
        "bar",
        key="x",
        agg="count",
        bucket="1d",
        timezone="Europe/Berlin",
        **{"from": "2026-10-25", "to": "2026-10-27"},
    )
    assert bar["labels"] == ["2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"]
    assert bar["values"] == [25, 24]


def test_singles_show_the_newest_by_event_time(server: RunningServer) -> None:
    source = plant(server)
    assert source.post({"ts": text(NOON), "device": "late", "rpm": 7}).status_code == 200
    single = source.data("single", key="rpm")
    assert (single["value"], single["ts"], single["stale"]) == (159, "2026-03-10T12:59:00Z", True)
    north = source.data("single", key="rpm", device="north", title="North", unit="rpm")
    assert north == {
        "type": "single",
        "title": "North",
        "unit": "rpm",
        "value": 59,
        "ts": "2026-03-10T12:59:00Z",
        "previous": 58,
        "delta": 1,
        "stale": True,
        "alert": None,
    }
    assert source.data("single", key="state")["value"] == "STOP"
    assert source.data("single", key="on", device="north")["value"] is False
    double = source.data("double", primary_key="rpm", secondary_key="state", device="north")
    assert double["primary"] == {
        "key": "rpm",
        "value": 59,
        "unit": "1/min",
        "ts": "2026-03-10T12:59:00Z",
    }
    assert double["secondary"]["value"] == "STOP"


def test_as_of_a_moment(server: RunningServer) -> None:
    source = plant(server)
    at = text(NOON + timedelta(minutes=30))
    single = source.data("single", key="rpm", device="north", at=at)
    assert (single["value"], single["previous"], single["stale"]) == (30, 29, False)
    line = source.data("line", key="rpm", device="north", range="10m", bucket="1m", at=at)
    assert line["labels"][-1] == at
    assert line["values"] == list(range(20, 31))


def test_what_was_posted_is_seen_at_once_on_every_worker(server: RunningServer) -> None:
    source = server.datasource("fresh")
    widget = save(server, source, type="single", key="x", title="X")
    for i in range(30):
        assert source.post({"x": i}).status_code == 200
        assert source.data("single", key="x")["value"] == i
        assert server.get(f"/v1/widgets/{widget['id']}/data").json()["value"] == i


def test_an_unchanged_poll_is_a_304_until_something_moves(server: RunningServer) -> None:
    source = plant(server)
    widget = save(server, source, type="single", device="north")
    path = f"/v1/widgets/{widget['id']}/data"
    first = server.get(path)
    etag = first.headers["etag"]
    assert etag.startswith('"')
    headers = server.auth | {"If-None-Match": etag}
    unchanged = server.client.get(path, headers=headers)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == etag
    source.post({"ts": text(NOON + timedelta(hours=2)), "device": "north", "rpm": 99})
    changed = server.client.get(path, headers=headers)
    assert (changed.status_code, changed.json()["value"]) == (200, 99)
    headers["If-None-Match"] = changed.headers["etag"]
    server.patch(f"/v1/widgets/{widget['id']}", {"title": "Other"})
    assert server.client.get(path, headers=headers).json()["title"] == "Other"


def test_a_sliding_window_moves_on_by_itself(server: RunningServer) -> None:
    source = server.datasource("sliding")
    source.post({"x": 1})
    params = {"datasource_id": source.id, "key": "x", "range": "1m", "bucket": "1s"}
    first = server.get("/v1/data/line", **params)
    deadline = time.monotonic() + 5
    headers = server.auth | {"If-None-Match": first.headers["etag"]}
    while time.monotonic() < deadline:
        answer = server.client.get("/v1/data/line", params=params, headers=headers)
        if answer.status_code == 200:
            break
    assert answer.json()["to"] > first.json()["to"]


def test_saved_widgets(server: RunningServer) -> None:
    source = plant(server)
    widget = save(server, source, **HOUR, bucket="30m")
    path = f"/v1/widgets/{widget['id']}"
    assert server.get(path).json() == widget
    assert (widget["key"], widget["bucket"], widget["points"]) == ("rpm", "30m", None)
    patched = server.patch(path, {"agg": "max", "device": "north"})
    assert patched.status_code == 200
    assert patched.json()["agg"] == "max"
    assert server.get(f"{path}/data").json()["values"] == [29, 59]
    assert server.get(f"{path}/data", bucket="1h").json()["values"] == [59]
    listed = server.get("/v1/widgets", datasource_id=source.id).json()
    assert [item["id"] for item in listed["items"]] == [widget["id"]]
    assert (listed["total"], listed["limit"], listed["offset"]) == (1, 20, 0)
    unknown = str(uuid4())
    several = server.post("/v1/widgets/data", {"ids": [widget["id"], unknown]})
    assert several.status_code == 200
    assert several.json()["widgets"][widget["id"]]["values"] == [29, 59]
    assert several.json()["widgets"][unknown]["error"] == "NOT_FOUND"
    etags = several.json()["etags"]
    assert etags[widget["id"]] == server.get(f"{path}/data").headers["etag"]
    again = server.post("/v1/widgets/data", {"ids": [widget["id"], unknown], "etags": etags})
    assert again.json() == {"widgets": {}, "etags": etags}
    source.post({"ts": text(NOON), "device": "north", "rpm": 1000})
    again = server.post("/v1/widgets/data", {"ids": [widget["id"], unknown], "etags": etags})
    assert again.json()["widgets"].keys() == {widget["id"]}
    assert again.json()["widgets"][widget["id"]]["values"] == [1000, 59]
    too_many = server.post("/v1/widgets/data", {"ids": [str(uuid4()) for _ in range(101)]})
    assert too_many.status_code == 422
    assert server.delete(path).status_code == 204
    for gone in (path, f"{path}/data"):
        assert server.get(gone).status_code == 404


def test_a_widget_of_a_deleted_datasource_says_so(server: RunningServer) -> None:
    source = plant(server)
    widget = save(server, source)
    assert server.get(f"/v1/widgets/{widget['id']}/data").status_code == 200
    assert server.delete(f"/v1/datasources/{source.id}").status_code == 204
    answer = server.get(f"/v1/widgets/{widget['id']}/data")
    assert answer.status_code == 404
    assert source.id in answer.json()["message"]


@pytest.mark.parametrize(
    ("type_", "params", "status", "field", "says"),
    [
        ("pie", {"key": "rpm"}, 422, "type", "line, bar, single, double"),
        ("line", {}, 422, "key", "needed"),
        ("line", {"key": "rpn"}, 422, "key", "'rpm'"),
        ("line", {"key": "rpm", "device": "west"}, 422, "device", "'north'"),
        ("line", {"key": "rpm", "agg": "mean"}, 422, "agg", "median"),
        ("line", {"key": "state", "agg": "avg"}, 422, "agg", "count"),
        ("line", {"key": "rpm", "points": "5001"}, 422, "points", "5000"),
        ("line", {"key": "rpm", "bucket": "1s", "range": "7d"}, 422, "bucket", "5000"),
        ("line", {"key": "rpm", "from": "x"}, 422, "from", "2026"),
        ("line", {"key": "rpm", "at": "x"}, 422, "at", "2026"),
        ("line", {"key": "rpm", "timezone": "Berlin"}, 422, "timezone", "Europe/Berlin"),
        ("line", {"key": "rpm", "color": "red"}, 422, "color", "bucket"),
        ("double", {"primary_key": "rpm"}, 422, "secondary_key", "needed"),
    ],
)
def test_a_bad_question_is_told_what_is_allowed(
    server: RunningServer, type_: str, params: dict[str, str], status: int, field: str, says: str
) -> None:
    source = plant(server)
    answer = server.get(f"/v1/data/{type_}", datasource_id=source.id, **params)
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["errors"][0]["key"] == field
    assert says in body["message"]


def test_the_same_data_as_csv_and_arrow(server: RunningServer) -> None:
    source = plant(server)
    widget = save(server, source, **HOUR, bucket="15m", device="north")
    params = {"datasource_id": source.id, "key": "rpm", "device": "north", "bucket": "15m", **HOUR}
    arrow_type = "application/vnd.apache.arrow.stream"
    for path, query in ((f"/v1/widgets/{widget['id']}/data", {}), ("/v1/data/line", params)):
        json = server.get(path, **query)
        found = {
            accept: server.client.get(path, params=query, headers=server.auth | {"Accept": accept})
            for accept in ("text/csv", arrow_type)
        }
        assert len({json.headers["etag"], *(a.headers["etag"] for a in found.values())}) == 3
        assert {a.headers["vary"] for a in (json, *found.values())} == {"Accept"}
        head, *rows = found["text/csv"].text.splitlines()
        assert head == "ts,value,min,max"
        told = [json.json()[name] for name in ("labels", "values", "min", "max")]
        assert rows == [",".join(map(str, row)) for row in zip(*told, strict=True)]
        table = pa.ipc.open_stream(found[arrow_type].content).read_all()
        assert [text(moment) for moment in table.column("ts").to_pylist()] == told[0]
        assert [table.column(name).to_pylist() for name in ("value", "min", "max")] == told[1:]
        for accept, answer in found.items():
            assert answer.headers["content-type"].startswith(accept)
            known = {"Accept": accept, "If-None-Match": answer.headers["etag"]}
            again = server.client.get(path, params=query, headers=server.auth | known)
            assert (again.status_code, again.headers["vary"]) == (304, "Accept")
            known["Accept"] = "application/json"
            again = server.client.get(path, params=query, headers=server.auth | known)
            assert again.status_code == 200


def test_a_picture_of_a_widget(server: RunningServer) -> None:
    source = plant(server)
    widget = save(server, source, **HOUR, bucket="15m", device="north", timezone="Europe/Berlin")
    path = f"/v1/widgets/{widget['id']}/image.svg"
    answer = server.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    root = ElementTree.fromstring(answer.content)
    said = ["".join(e.itertext()) for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Speed", "1/min", "13:00", "10 Mar 2026, 13:00 – 14:00 · Europe/Berlin"} <= set(said)
    known = server.auth | {"If-None-Match": answer.headers["etag"]}
    assert server.client.get(path, headers=known).status_code == 304
    other = {"theme": "dark", "width": 300, "height": 200, "bucket": "5m"}
    dark = server.client.get(path, params=other, headers=known)
    assert dark.status_code == 200
    assert ElementTree.fromstring(dark.content).get("width") == "300"
    source.post({"ts": HOUR["from"], "device": "north", "rpm": 9999})
    assert server.client.get(path, headers=known).status_code == 200
    for name, value in (("width", "99999"), ("theme", "pink"), ("colour", "red")):
        refused = server.get(path, **{name: value})
        assert (refused.status_code, refused.json()["errors"][0]["key"]) == (422, name)
    for type_, fields in (
        ("bar", {"group_by": "device"}),
        ("single", {}),
        ("double", {"key": None, "primary_key": "rpm", "secondary_key": "state"}),
    ):
        saved = save(server, source, type=type_, **fields)
        picture = server.get(f"/v1/widgets/{saved['id']}/image.svg")
        assert ElementTree.fromstring(picture.content).tag.endswith("svg"), picture.text
    assert server.get(f"/v1/widgets/{uuid4()}/image.svg").status_code == 404


def test_without_a_key_nothing_is_shown(server: RunningServer) -> None:
    source = plant(server)
    widget = save(server, source)
    own = f"/v1/widgets/{widget['id']}"
    for path in (f"{own}/data", f"{own}/image.svg", "/v1/widgets", "/v1/data/line"):
        answer = server.client.get(path)
        assert answer.status_code == 401
        assert "www-authenticate" in answer.headers


def test_a_firing_alert_is_shown_and_gone_when_it_resolves(server: RunningServer) -> None:
    source = plant(server)
    rule = server.post(
        "/v1/alerts",
        {
            "name": "Overspeed",
            "datasource_id": source.id,
            "key": "rpm",
            "condition": "greater_than",
            "threshold": 500,
            "severity": "critical",
            "widget_color": "#ff0000",
            "icon": "flame",
        },
    )
    assert rule.status_code == 201, rule.text
    since = text(NOON + timedelta(hours=2))
    assert source.data("single", key="rpm")["alert"] is None
    source.post({"ts": since, "device": "north", "rpm": 600})
    expected = {
        "state": "firing",
        "severity": "critical",
        "name": "Overspeed",
        "widget_color": "#ff0000",
        "material_color": None,
        "icon": "flame",
        "since": since,
    }
    for type_ in ("line", "bar", "single"):
        assert source.data(type_, key="rpm")["alert"] == expected
    assert source.data("single", key="rpm", device="south")["alert"] is None
    assert source.data("single", key="state")["alert"] is None
    source.post({"ts": text(NOON + timedelta(hours=3)), "device": "north", "rpm": 1})
    assert source.data("single", key="rpm")["alert"] is None


def test_the_fields_are_documented(server: RunningServer) -> None:
    paths = server.get("/openapi.json").json()["paths"]
    parameters = paths["/v1/data/{widget_type}"]["get"]["parameters"]
    assert {"key", "from", "to", "bucket", "at"} <= {p["name"] for p in parameters}
    for path, method in (("/v1/widgets", "post"), ("/v1/widgets/{widget_id}", "patch")):
        body = paths[path][method]["requestBody"]["content"]["application/json"]["schema"]
        assert {"type", "title", "datasource_id", "stale_seconds"} <= set(body["properties"])
