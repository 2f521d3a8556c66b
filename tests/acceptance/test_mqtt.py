"""`twinfeed mqtt` between a real Mosquitto and a real server."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
import structlog.testing
from support.bridge import WITHIN_S
from support.bridge import Bridge as BridgeProcess
from support.exposition import eventually as eventually_soon
from support.mosquitto import Mosquitto, needs_mosquitto
from support.pages import merged
from support.server import Datasource, RunningServer, free_port, launch
from support.stored import learned, stored

from twin.mqtt.bridge import Bridge
from twin.mqtt.broker import Broker, BrokerURL
from twin.mqtt.inbox import Inbox
from twin.mqtt.sender import Sender
from twin.mqtt.topics import Topics

pytestmark = [pytest.mark.one_home, needs_mosquitto]

T_MS = 1_700_000_000_000
eventually = partial(eventually_soon, within_s=WITHIN_S)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as running:
        yield running


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "bridge.log"


def readings(numbers: range) -> list[str]:
    return [json.dumps({"ts": T_MS + i, "n": i}) for i in numbers]


def numbers(datasource: Datasource, device: str = "") -> list[float]:
    return [
        values["n"] for (name, _), values in sorted(stored(datasource).items()) if name == device
    ]


def total(datasource: Datasource) -> int:
    return learned(datasource)[2]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("qos", [0, 1])
def test_topics_become_devices_and_payloads_readings(
    server: RunningServer, broker: Mosquitto, log: Path, protocol: str, qos: int
) -> None:
    datasource = server.datasource()
    root = f"all/{protocol}/{qos}"
    options = ("--topic", f"{root}/+/telemetry", "--topic", f"{root}/bare/#", "--qos", str(qos))
    before_us = time.time_ns() // 1000
    with BridgeProcess(log, datasource, broker.url, *options, "--protocol", protocol) as bridge:
        bridge.wait_for("connected")
        for topic, payload in (
            ("press1/telemetry", '{"temperature": 42.5, "motor": {"rpm": 1500}, "state": "ON"}'),
            ("press1/telemetry", f'[{{"ts": {T_MS}, "n": 1}}, {{"ts": {T_MS + 1}, "n": 2}}]'),
            ("press2/telemetry", f'{{"ts": {T_MS}, "values": {{"n": 3}}, "device": "own"}}'),
            ("press3/telemetry", f'{{"ts": [{T_MS}, {T_MS + 1}], "values": {{"n": [4, 5]}}}}'),
            ("line/telemetry", '{"output": {"machines": ["A", "B"], "units": [112, 124]}}'),
            ("bare/temperature", "21.5"),
            ("bare/oven/door", "true"),
            ("bare/oven/mode", "heating up"),
            ("bare/oven/silent", ""),
            ("bare/oven/nothing", "null"),
        ):
            broker.publish(f"{root}/{topic}", payload, qos=qos)
        eventually(lambda: total(datasource) == 11)
        found = merged(datasource)
    assert found["press1"] == {"n": 2, "temperature": 42.5, "motor.rpm": 1500, "state": "ON"}
    assert found["own"] == {"n": 3}
    assert found["press3"] == {"n": 5}
    assert (found["A"], found["B"]) == ({"output.units": 112}, {"output.units": 124})
    assert found[""] == {"temperature": 21.5}
    assert found["oven"] == {"door": True, "mode": "heating up"}
    assert bridge.events("message rejected") == []
    times = [ts for (device, ts) in stored(datasource) if device == "oven"]
    assert all(before_us <= ts <= time.time_ns() // 1000 for ts in times)
    (stopped,) = bridge.events("stopped")
    assert (stopped["messages"], stopped["accepted"], stopped["bad_messages"]) == (10, 11, 0)


def test_templates_decide_otherwise(server: RunningServer, broker: Mosquitto, log: Path) -> None:
    datasource = server.datasource()
    options = ("--topic", "t/#", "--device", "{3}@{2}", "--data-key", "{-1}.value", "--url")
    with BridgeProcess(log, datasource, broker.url, *options, datasource.url) as bridge:
        bridge.wait_for("connected")
        broker.publish("t/hall/press/speed", "3")
        broker.publish("t/hall", "3")
        eventually(lambda: total(datasource) == 1)
        (rejected,) = bridge.wait_for("message rejected")
    assert merged(datasource) == {"press@hall": {"speed.value": 3}}
    assert (rejected["topic"], rejected["reason"]) == ("t/hall", "the topic has no level 3")


def test_bad_messages_between_good_ones_are_told_and_acknowledged(
    server: RunningServer, broker: Mosquitto, log: Path
) -> None:
    datasource = server.datasource(data_keys=[{"key": "n", "kind": "number"}])
    bad = {
        "broken": '{"n": 1',
        "kind": '{"n": "high"}',
        "nan": "NaN",
        "bytes": b"\xff\xfe",
        "array": '{"n": [1, 2]}',
        "columns": '{"ts": [1, 2], "values": {"n": [1]}}',
        "scalars": "[1, 2]",
        "old": '{"ts": "1969-01-01T00:00:00Z", "n": 1}',
    }
    with BridgeProcess(log, datasource, broker.url, "--topic", "bad/+") as bridge:
        bridge.wait_for("connected")
        for i, (topic, payload) in enumerate(bad.items()):
            broker.publish(f"bad/{topic}", payload)
            broker.publish("bad/good", json.dumps({"ts": T_MS + i, "n": i}))
        eventually(lambda: total(datasource) == len(bad))
        told = bridge.wait_for("message rejected", len(bad))
        (stopped,) = [bridge.stop(), *bridge.events("stopped")][1:]
    assert sorted(event["topic"] for event in told) == sorted(f"bad/{topic}" for topic in bad)
    reasons = {event["topic"][4:]: event["reason"] for event in told}
    assert "not JSON" in reasons["broken"]
    assert "n: is a number, not a text" in reasons["kind"]
    assert "finite" in reasons["nan"]
    assert "UTF-8" in reasons["bytes"]
    assert "array is not a value" in reasons["array"]
    assert "n: has 1 values where others have 2" in reasons["columns"]
    assert "must be an object" in reasons["scalars"]
    assert reasons["old"].startswith("ts: ")
    assert (stopped["accepted"], stopped["bad_messages"]) == (len(bad), len(bad))
    assert numbers(datasource, "good") == list(range(len(bad)))
    with BridgeProcess(log, datasource, broker.url, "--topic", "bad/+") as again:
        again.wait_for("connected")
        broker.publish("bad/good", json.dumps({"ts": T_MS + 99, "n": 99}))
        eventually(lambda: total(datasource) == len(bad) + 1)
    assert again.events("stopped")[0]["messages"] == 1


def test_more_bad_readings_than_an_answer_lists(
    server: RunningServer, broker: Mosquitto, log: Path
) -> None:
    datasource = server.datasource(data_keys=[{"key": "n", "kind": "number"}])
    lines = [json.dumps({"ts": T_MS + i, "n": "bad" if i % 3 else i}) for i in range(600)]
    options = ("--topic", "many", "--client-id", "many")
    with BridgeProcess(log, datasource, broker.url, *options) as bridge:
        bridge.wait_for("connected")
    broker.publish_lines("many", lines)
    with BridgeProcess(log, datasource, broker.url, *options) as bridge:
        eventually(lambda: total(datasource) == 200)
        bridge.wait_for("message rejected", 400)
    (stopped,) = bridge.events("stopped")
    assert (stopped["accepted"], stopped["rejected"], stopped["bad_messages"]) == (200, 400, 400)


def test_a_bridge_killed_before_the_commit_is_sent_everything_again(
    server: RunningServer, broker: Mosquitto, log: Path
) -> None:
    datasource = server.datasource()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.settimeout(20)
        nowhere = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        bridge = BridgeProcess(log, datasource, broker.url, "--topic", "killed", "--url", nowhere)
        bridge.wait_for("connected")
        broker.publish_lines("killed", readings(range(500)))
        connection, _ = deaf.accept()
        with connection:
            assert b"POST /ingest/" in connection.recv(65536)
            bridge.kill()
    broker.publish_lines("killed", readings(range(500, 600)))
    assert total(datasource) == 0
    with BridgeProcess(log, datasource, broker.url, "--topic", "killed") as again:
        eventually(lambda: total(datasource) >= 600)
        again.wait_for("connected")
    assert numbers(datasource) == list(range(600))


def test_nothing_is_lost_over_restarts_of_broker_and_server(
    database_url: str, tmp_path: Path, log: Path
) -> None:
    port = free_port()
    with Mosquitto(tmp_path) as broker:
        server = launch(database_url, port=port)
        datasource = server.datasource()
        with BridgeProcess(log, datasource, broker.url, "--topic", "away/+") as bridge:
            bridge.wait_for("connected")
            broker.publish_lines("away/a", readings(range(100)))
            eventually(lambda: total(datasource) == 100)

            assert server.stop() == 0
            broker.publish_lines("away/a", readings(range(100, 200)))
            bridge.wait_for("server away")
            broker.stop()
            broker.start()
            broker.publish_lines("away/a", readings(range(200, 300)))
            server = launch(database_url, port=port)
            datasource.server = server
            try:
                bridge.wait_for("connected", 2)
                eventually(lambda: total(datasource) == 300)
                bridge.wait_for("server back")
                bridge.wait_for("broker away")
                assert bridge.stop() == 0
            finally:
                assert server.stop() == 0
    datasource.server = server
    assert numbers(datasource, "a") == list(range(300))
    server.log.unlink()


def test_a_stop_leaves_nothing_half_done(
    server: RunningServer, broker: Mosquitto, log: Path
) -> None:
    datasource = server.datasource()
    count = 5000
    with BridgeProcess(log, datasource, broker.url, "--topic", "stop") as bridge:
        bridge.wait_for("connected")
    broker.publish_lines("stop", readings(range(count)))
    while (before := total(datasource)) < count:
        with BridgeProcess(log, datasource, broker.url, "--topic", "stop") as bridge:
            eventually(lambda at=before: total(datasource) > at)  # type: ignore[misc]
            assert bridge.stop() == 0
        (stopped,) = bridge.events("stopped")
        assert stopped["left"] == 0
        assert stopped["accepted"] == total(datasource) - before
    assert numbers(datasource) == list(range(count))


def test_what_overflows_the_inbox_is_sent_again(server: RunningServer, broker: Mosquitto) -> None:
    """In this process, to bound the inbox far below what the broker sends ahead."""
    datasource = server.datasource()
    url = BrokerURL("127.0.0.1", broker.port, False, None, None)
    there = Broker(url, "overflow", ("overflow",), 1, True, 60, None)

    async def run() -> None:
        inbox = Inbox(max_messages=7)
        async with httpx.AsyncClient(timeout=30) as client:
            sender = Sender(datasource.url, datasource.key, client)
            bridge = Bridge(there, Topics(("overflow",)), sender, inbox)
            work = asyncio.create_task(bridge.run())
            async with asyncio.timeout(WITHIN_S):
                while await asyncio.to_thread(total, datasource) < 60:
                    await asyncio.sleep(0.05)
            bridge.stop()
            await work

    async def subscribe_only() -> None:
        async with there.connection(Inbox()) as client:
            assert await there.subscribe(client) == []

    asyncio.run(subscribe_only())
    broker.publish_lines("overflow", readings(range(60)))
    with structlog.testing.capture_logs() as lines:
        asyncio.run(run())
    assert any("too many messages" in line["event"] for line in lines)
    assert numbers(datasource) == list(range(60))


def test_retained_messages_come_once(server: RunningServer, broker: Mosquitto, log: Path) -> None:
    datasource = server.datasource()
    broker.publish("retained/level", "7", retain=True)
    for _ in range(2):
        with BridgeProcess(log, datasource, broker.url, "--topic", "retained/+") as bridge:
            bridge.wait_for("connected")
            eventually(lambda: total(datasource) >= 1)
            broker.publish("retained/live", "1")
            eventually(lambda: "live" in merged(datasource)[""])
    assert [v for v in stored(datasource).values() if "level" in v] == [{"level": 7}]


def test_a_subscription_of_a_former_run_is_told(
    server: RunningServer, broker: Mosquitto, log: Path
) -> None:
    datasource = server.datasource()
    with BridgeProcess(log, datasource, broker.url, "--topic", "former") as bridge:
        bridge.wait_for("connected")
    with BridgeProcess(log, datasource, broker.url, "--topic", "latter") as bridge:
        bridge.wait_for("connected")
        broker.publish("former", "1")
        (rejected,) = bridge.wait_for("message rejected")
    assert "no --topic matches" in rejected["reason"]


def test_a_wrong_key_acknowledges_nothing(
    server: RunningServer, broker: Mosquitto, log: Path
) -> None:
    datasource = server.datasource()
    right, datasource.key = datasource.key, "tfi_" + "0" * 64
    with BridgeProcess(log, datasource, broker.url, "--topic", "key") as bridge:
        bridge.wait_for("connected")
        broker.publish_lines("key", readings(range(3)))
        (told, *_) = bridge.wait_for("server does not take readings")
        bridge.kill()
    assert told["problem"].startswith("401 ")
    datasource.key = right
    with BridgeProcess(log, datasource, broker.url, "--topic", "key"):
        eventually(lambda: total(datasource) == 3)


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


def test_tls_and_a_password(server: RunningServer, tmp_path: Path, log: Path) -> None:
    cert, key, users = (str(tmp_path / name) for name in ("cert.pem", "key.pem", "users"))
    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    openssl(*new, *names, "-days", "2", "-keyout", key, "-out", cert)
    made = ["mosquitto_passwd", "-b", "-c", users, "plant", "se/cret"]
    subprocess.run(made, check=True, timeout=20)
    lines = [f"certfile {cert}", f"keyfile {key}", f"password_file {users}"]
    datasource = server.datasource()
    with Mosquitto(tmp_path, "allow_anonymous false", *lines) as broker:
        place = f"@127.0.0.1:{broker.port}"
        url = f"mqtts://plant:se%2Fcret{place}"
        for wrong, options in (
            (url, []),
            (f"mqtts://plant:another{place}", ["--ca", cert]),
        ):
            with BridgeProcess(log, datasource, wrong, "--topic", "x", *options) as bridge:
                bridge.wait_for("broker away")
                assert bridge.events("connected") == []
            assert "another" not in bridge.text()
        with BridgeProcess(log, datasource, url, "--topic", "x", "--ca", cert) as bridge:
            bridge.wait_for("connected")
            pub = ["mosquitto_pub", "-h", "localhost", "-p", str(broker.port), "--cafile", cert]
            sent = ["-u", "plant", "-P", "se/cret", "-t", "x", "-q", "1", "-m", "5"]
            subprocess.run([*pub, *sent], check=True, timeout=20)
            eventually(lambda: total(datasource) == 1)
        assert "se/cret" not in bridge.text()
        assert "se%2Fcret" not in bridge.text()
        assert datasource.key not in bridge.text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--broker", "http://u:secret@h"], "mqtt://"),
        (["--broker", "mqtt://u:secret@h:99999"], "port"),
        (["--broker", "mqtt://u:secret@h/x"], "%2F"),
        (["--topic", "a/#/b"], "whole levels"),
        (["--topic", "a+"], "whole levels"),
        (["--device", "{0}"], "first level"),
        (["--datasource", "pump"], "datasource's id"),
        (["--url", "localhost:8000"], "http://"),
        (["--key", "tfi_ä"], "no key has"),
        (["--ca", __file__], "mqtts://"),
    ],
)
def test_what_is_typed_wrong_is_named(options: list[str], said: str) -> None:
    given = {
        "--broker": "mqtt://127.0.0.1:1",
        "--topic": "a",
        "--datasource": "00000000-0000-4000-8000-000000000000",
        "--key": "tfi_" + "0" * 64,
        **dict(zip(options[::2], options[1::2], strict=True)),
    }
    command = [word for pair in given.items() for word in pair]
    done = subprocess.run(
        [sys.executable, "-m", "twin", "mqtt", *command], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
