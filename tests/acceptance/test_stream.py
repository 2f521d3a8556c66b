"""Widgets pushed to whoever holds a stream open: /v1/stream."""

import contextlib
import signal
import threading
import time
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from support.events import Events, streamed
from support.exposition import eventually, value
from support.server import Datasource, RunningServer, launch, start_server
from support.wire import Wire, request

from twin.db.pool import conninfo
from twin.keys.secrets import digest

pytestmark = pytest.mark.one_home


def save(source: Datasource, **fields: Any) -> str:
    spec = {"type": "single", "title": "X", "datasource_id": source.id, "key": "x", **fields}
    answer = source.server.post("/v1/widgets", spec)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def filled(server: RunningServer, number: float = 1) -> Datasource:
    source = server.datasource("streamed")
    assert source.post({"x": number}).status_code == 200
    return source


def first_of(events: Events, count: int) -> dict[str, dict[str, Any]]:
    """The first events of a stream, by widget."""
    found: dict[str, dict[str, Any]] = {}
    for _ in range(count):
        event = events.next()
        assert event is not None
        found[event["widget_id"]] = event
    return found


def test_a_stream_begins_with_what_is_and_goes_on_with_what_changes(server: RunningServer) -> None:
    """The server has two workers: readings come in by both, whichever holds the stream."""
    one, other = filled(server, 1), filled(server, 10)
    widgets = [save(one), save(other), save(one, type="line", range="1h")]
    with streamed(server, widgets) as events:
        assert events.response.headers["content-type"].startswith("text/event-stream")
        found = first_of(events, 3)
        assert found.keys() == set(widgets)
        assert [found[id_].get("value") for id_ in widgets] == [1, 10, None]
        assert found[widgets[2]]["values"] == [1]
        assert events.retry_ms > 0
        polled = server.get(f"/v1/widgets/{widgets[0]}/data")
        assert found[widgets[0]]["etag"] == polled.headers["etag"]
        shown = {k: v for k, v in found[widgets[0]].items() if k not in ("widget_id", "etag")}
        assert shown == polled.json()
        for number in range(2, 6):
            with httpx.Client() as fresh:  # a connection of its own: any worker may take it
                headers = {"Authorization": other.key}
                assert fresh.post(other.url, json={"x": number}, headers=headers).is_success
            # Not just the next one: the line's window moves on every few seconds.
            assert events.until("value", number)["widget_id"] == widgets[1]


def test_an_alert_and_another_title_are_changes(server: RunningServer) -> None:
    source = filled(server)
    id_ = save(source)
    rule = {"name": "High", "datasource_id": source.id, "key": "x", "severity": "critical"}
    made = server.post("/v1/alerts", rule | {"condition": "greater_than", "threshold": 100})
    assert made.status_code == 201, made.text
    with streamed(server, [id_]) as events:
        assert first_of(events, 1)[id_]["alert"] is None
        source.post({"x": 101})
        assert events.until("value", 101)["alert"]["name"] == "High"
        server.patch(f"/v1/widgets/{id_}", {"title": "Y"})
        assert events.until("title", "Y")["value"] == 101


def test_changes_come_at_most_once_a_second(server: RunningServer) -> None:
    source = filled(server, 0)
    id_ = save(source)
    with streamed(server, [id_]) as events:
        first_of(events, 1)
        began = time.monotonic()
        stopped = threading.Event()

        def send() -> None:
            number = 0
            with httpx.Client(headers={"Authorization": source.key}) as client:
                while not stopped.is_set():
                    number += 1
                    client.post(source.url, json={"x": number})

        sender = threading.Thread(target=send)
        sender.start()
        seen = [events.next() for _ in range(3)]
        took_s = time.monotonic() - began
        stopped.set()
        sender.join(20)
    assert took_s >= 2  # three changes have two pauses between them
    values = [event["value"] for event in seen if event is not None]
    assert values == sorted(set(values))
    assert len(values) == 3


def test_a_stream_resumes_where_it_broke_off(server: RunningServer) -> None:
    one, other = filled(server), filled(server)
    widgets = [save(one), save(other)]
    with streamed(server, widgets) as events:
        first_of(events, 2)
        cursor = events.last_id
    other.post({"x": 2})
    with streamed(server, widgets, Last_Event_ID=cursor) as events:
        event = events.next()
        assert event is not None
        assert (event["widget_id"], event["value"]) == (widgets[1], 2)
        one.post({"x": 3})
        event = events.next()
        assert event is not None
        assert (event["widget_id"], event["value"]) == (widgets[0], 3)
    for strange in ("nonsense", "a.b.c", "..."):
        with streamed(server, widgets, Last_Event_ID=strange) as events:
            first_of(events, 2)


def test_a_window_moves_on_though_nothing_is_written(server: RunningServer) -> None:
    source = filled(server)
    line = save(source, type="line", range="1m", bucket="1s")
    fading = save(source, stale_seconds=2)
    with streamed(server, [line, fading]) as events:
        found = first_of(events, 2)
        first = found[line]["to"]
        if not found[fading]["stale"]:
            assert events.until("stale", True)["widget_id"] == fading
        event = events.next()
        while event is not None and event["widget_id"] != line:
            event = events.next()
        assert event is not None
        assert event["to"] > first


def test_what_cannot_be_shown_says_so(server: RunningServer) -> None:
    source, going = filled(server), filled(server)
    widgets = [save(source), save(going), str(uuid4()), save(source, key="unknown")]
    with streamed(server, widgets) as events:
        found = first_of(events, 4)
        assert found[widgets[2]]["status"] == 404
        assert found[widgets[3]]["error"] == "VALIDATION_ERROR"
        server.delete(f"/v1/widgets/{widgets[0]}")
        assert events.until("status", 404)["widget_id"] == widgets[0]
        server.delete(f"/v1/datasources/{going.id}")
        event = events.until("status", 404)
        assert event["widget_id"] == widgets[1]
        assert going.id in event["message"]
        source.post({"unknown": 7})
        assert events.until("value", 7)["widget_id"] == widgets[3]


def test_a_watched_widget_is_nobody_elses(server: RunningServer) -> None:
    """Many streams of both, so that each worker holds some: who came first must not matter."""
    body = {"name": "stranger", "environment": "test"}
    stranger = server.post("/v1/keys", body).json()["api_key"]
    widget = save(filled(server, 5))
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            for key, seen in ((stranger, 404), (None, 5)):
                headers = {} if key is None else {"Authorization": f"Bearer {key}"}
                events = stack.enter_context(streamed(server, [widget], **headers))
                event = events.next()
                assert event is not None
                assert event.get("status", event.get("value")) == seen


@pytest.mark.parametrize(
    ("query", "says"),
    [("", "widgets"), ("widgets=", "1"), ("widgets=x", "ids"), ("x=1", "widgets")],
)
def test_a_bad_stream_is_told_why(server: RunningServer, query: str, says: str) -> None:
    answer = server.client.get(f"/v1/stream?{query}", headers=server.auth)
    assert answer.status_code == 422
    assert says in answer.json()["message"]


def test_streams_need_a_key(server: RunningServer) -> None:
    answer = server.client.get("/v1/stream", params={"widgets": str(uuid4())})
    assert answer.status_code == 401


def test_streams_are_bounded_and_a_reader_who_went_makes_room(database_url: str) -> None:
    with start_server(database_url, max_stream_subscribers="2", max_stream_widgets="2") as server:
        source = filled(server)
        widgets = [save(source), save(source, title="Y")]
        with streamed(server, [*widgets, str(uuid4())]) as events:
            assert events.response.status_code == 422
        with streamed(server, widgets) as kept:
            first_of(kept, 2)
            with streamed(server, widgets) as events:
                first_of(events, 2)
                assert value(server, "twinfeed_stream_subscribers") == 2
                with streamed(server, widgets) as refused:
                    assert refused.response.status_code == 503
                    assert int(refused.response.headers["retry-after"]) > 0
            eventually(lambda: value(server, "twinfeed_stream_subscribers") == 1)
            with streamed(server, widgets) as events:
                first_of(events, 2)
            source.post({"x": 5})
            first_of(kept, 2)
        eventually(lambda: value(server, "twinfeed_stream_subscribers") == 0)


def test_a_stream_ends_with_its_key(server: RunningServer) -> None:
    source = filled(server)
    id_ = save(source)
    key = "tf_live_" + "c3" * 32
    assert server.database_url is not None
    with (
        psycopg.connect(conninfo(server.database_url), autocommit=True) as conn,
        streamed(server, [id_]) as kept,
    ):
        conn.execute(
            "INSERT INTO management_keys (key_id, org_id, environment, name, scopes)"
            " SELECT 'key_viewer', org_id, 'live', 'viewer', '{read}' FROM organisations LIMIT 1"
        )
        conn.execute("INSERT INTO management_secrets VALUES (%s, 'key_viewer')", [digest(key)])
        with streamed(server, [id_], Authorization=f"Bearer {key}") as events:
            first_of(kept, 1)
            first_of(events, 1)
            conn.execute("DELETE FROM management_keys WHERE key_id = 'key_viewer'")
            conn.execute("SELECT tell('keys ')")
            assert events.next() is None
            assert "key" in events.comments[-1]
        source.post({"x": 2})
        assert first_of(kept, 1)[id_]["value"] == 2


def test_a_stop_ends_streams_at_once(database_url: str) -> None:
    server = launch(database_url, workers=2)
    source = filled(server)
    id_ = save(source)
    with streamed(server, [id_]) as events, streamed(server, [id_]) as more:
        first_of(events, 1)
        first_of(more, 1)
        server.client.close()
        server.process.send_signal(signal.SIGTERM)
        assert events.next() is None
        assert more.next() is None
        # The default is to wait 30 s for open requests.
        assert server.process.wait(20) == 0
    server.log.unlink()


def test_a_slow_reader_skips_what_came_in_between(own_server: RunningServer) -> None:
    """He reads nothing while the data changes: what waits for him does not grow with the changes."""
    source = own_server.datasource("wide")
    rows = [{"ts": f"2026-01-01T{h:02}:{m:02}:00Z", "x": 1} for h in range(24) for m in range(60)]
    assert source.post(rows).status_code == 200
    day = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "points": 2000}
    widgets = [save(source, type="line", bucket="1m", title=str(i), **day) for i in range(50)]
    target = f"/v1/stream?widgets={','.join(widgets)}"
    with Wire(own_server.url, receive_bytes=4096) as slow, streamed(own_server, widgets) as quick:
        slow.send(request("GET", target, Authorization=own_server.auth["Authorization"]))
        first_of(quick, 50)
        for number in (2, 3):
            source.post({"ts": "2026-01-01T00:00:00Z", "x": number})
            first_of(quick, 50)
        # 3 MB of lines a round, of which the slow one's socket holds less than one.
        assert 150 < value(own_server, "twinfeed_stream_events_total") < 200
