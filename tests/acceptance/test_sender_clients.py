"""The pages of docs/senders that configure other systems' clients."""

import ctypes.util
import gzip
import json
import re
import shutil
import subprocess
import tomllib
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.exposition import eventually
from support.pages import bash, example, merged, python
from support.prometheus import run_prometheus
from support.server import RunningServer
from support.stored import learned, stored

pytestmark = pytest.mark.one_home

with warnings.catch_warnings():  # it uses what newer Python versions deprecate
    warnings.simplefilter("ignore")
    import influxdb_client
    from influxdb_client.client.write_api import SYNCHRONOUS

COLLECTD = shutil.which("collectd", path="/usr/sbin:/usr/bin")
T_NS = 1_767_225_600_000_000_000


def test_telegraf(server: RunningServer) -> None:
    """No Debian package: its configuration is read, and the request that it would send is sent."""
    datasource = server.datasource()
    config = tomllib.loads(example("telegraf.md", "telegraf.conf", datasource))
    (output,) = config["outputs"]["influxdb_v2"]
    assert set(config["inputs"]) == {"cpu", "mem"}
    answer = server.client.post(
        output["urls"][0] + "/api/v2/write",
        params={"bucket": output["bucket"], "org": output["organization"]},
        headers={
            "Authorization": f"Token {output['token']}",
            "Content-Encoding": "gzip",
            "Content-Type": "text/plain; charset=utf-8",
            "User-Agent": "Telegraf/1.38.0 Go/1.25.0",
        },
        content=gzip.compress(
            f"cpu,cpu=cpu-total,host=edge1 usage_user=1.5,usage_idle=98.5 {T_NS}\n"
            f"mem,host=edge1 used_percent=40.5,total=8000000000i {T_NS}\n".encode()
        ),
    )
    assert (answer.status_code, answer.content) == (204, b"")
    assert merged(datasource) == {
        "cpu=cpu-total,host=edge1": {"cpu.usage_user": 1.5, "cpu.usage_idle": 98.5},
        "host=edge1": {"mem.used_percent": 40.5, "mem.total": 8e9},
    }


def test_home_assistant_by_a_rest_command(server: RunningServer) -> None:
    """Not run: its configuration is read, and the request that it would send is sent."""
    datasource = server.datasource()
    config = yaml.safe_load(example("home-assistant.md", "configuration.yaml", datasource))
    command = config["rest_command"]["twinfeed"]
    (action,) = config["automation"][0]["actions"]
    assert action == {"action": "rest_command.twinfeed"}
    rendered = {
        "(as_timestamp(now()) * 1000) | int": str(T_NS // 1_000_000),
        'states("sensor.boiler_temperature") | float("null")': "61.5",
        'is_state("switch.boiler", "on") | lower': "true",
    }
    payload = re.sub(r"\{\{ (.*?) \}\}", lambda found: rendered[found[1]], command["payload"])
    for sent, heard in ((payload, 61.5), (payload.replace("61.5", "null"), 61.5)):
        answer = server.client.request(
            command["method"],
            command["url"],
            content=sent,
            headers={**command["headers"], "Content-Type": command["content_type"]},
        )
        assert answer.json() == {"accepted": 1, "rejected": 0, "errors": []}
        assert stored(datasource) == {
            ("boiler", T_NS // 1000): {"temperature": heard, "heating": True}
        }
    assert json.loads(payload)["device"] == "boiler"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_home_assistant_by_its_influxdb_integration(server: RunningServer) -> None:
    """The same client as the integration uses: its test of the connection, then a state."""
    datasource = server.datasource()
    with influxdb_client.InfluxDBClient(server.url, token=datasource.key, org="any") as client:
        write = client.write_api(write_options=SYNCHRONOUS)
        write.write("any", record=b"")  # raises nothing: the connection is fine
        point: dict[str, Any] = {
            "measurement": "°C",
            "tags": {"domain": "sensor", "entity_id": "boiler"},
            "time": datetime.fromtimestamp(T_NS // 10**9, UTC),
            "fields": {"value": 61.5, "friendly_name_str": "Boiler"},
        }
        write.write("any", record=[point])
    assert merged(datasource) == {
        "domain=sensor,entity_id=boiler": {"°C.value": 61.5, "°C.friendly_name_str": "Boiler"}
    }


def test_influxdb_clients(server: RunningServer, tmp_path: Path) -> None:
    datasource = server.datasource()
    host, _, port = server.url.removeprefix("http://").partition(":")
    address = {'"127.0.0.1", 8000': f'"{host}", {port}'}
    for name in ("v2.py", "v1.py"):
        text = {
            "v2.py": example("influxdb.md", "v2.py", datasource),
            "v1.py": example("influxdb.md", "v1.py", datasource, **address),
        }[name]
        python(text, tmp_path)
    bash(example("influxdb.md", "line", datasource), tmp_path)
    assert merged(datasource) == {
        "line=1": {"press.temperature": 42.5, "press.rpm": 1500, "press.pressure": 1.8}
    }


@pytest.mark.skipif(
    COLLECTD is None or ctypes.util.find_library("yajl") is None,
    reason="needs Debian's packages collectd-core, libyajl2 and libcurl3-gnutls",
)
def test_collectd(server: RunningServer, tmp_path: Path) -> None:
    assert COLLECTD is not None
    datasource = server.datasource()
    config = tmp_path / "collectd.conf"
    place = f'BaseDir "{tmp_path}"\nPIDFile "{tmp_path}/pid"\nInterval 0.5\nHostname "edge1"\n'
    config.write_text(place + example("collectd.md", "collectd.conf", datasource))
    process = subprocess.Popen([COLLECTD, "-f", "-C", str(config)])
    try:
        eventually(lambda: process.poll() is not None or len(merged(datasource)) > 3)
    finally:
        process.terminate()
        process.wait(20)
    keys, devices, _ = learned(datasource)
    assert {"load.load.shortterm", "memory.memory"} <= set(keys)
    assert "host=edge1,type_instance=free" in devices


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Debian's prometheus")
def test_prometheus(server: RunningServer, tmp_path: Path) -> None:
    datasource = server.datasource()
    target = server.url.removeprefix("http://")
    quick = {"scrape_interval: 15s": "scrape_interval: 500ms", "127.0.0.1:9100": target}
    quick["write_relabel"] = "queue_config: {batch_send_deadline: 200ms}\n    write_relabel"
    config = tmp_path / "prometheus.yml"
    config.write_text(example("prometheus.md", "prometheus.yml", datasource, **quick))
    with run_prometheus(config, tmp_path):
        # A scrape that takes too long for its interval says 0.
        up = {f"instance={target},job=plant": {"up": 1}}
        eventually(lambda: merged(datasource) == up, within_s=40)


def test_opentelemetry(server: RunningServer, tmp_path: Path) -> None:
    datasource = server.datasource()
    script = example("opentelemetry.md", "metrics.py", datasource)
    python(script, tmp_path)
    held = {"machine=a,service.name=press": {"temperature": 42.5, "parts": 3}}
    assert merged(datasource) == held

    another = server.datasource()
    bare = re.sub(r"OTLPMetricExporter\(\n.*?\n\)", "OTLPMetricExporter()", script, flags=re.S)
    assert datasource.key not in bare
    lines = example("opentelemetry.md", "environment", another)
    python(bare, tmp_path, **dict(re.findall(r'^export (\w+)="?([^"\n]+)"?$', lines, re.M)))
    assert merged(another) == held

    config = yaml.safe_load(example("opentelemetry.md", "collector.yaml", datasource))
    exporter = config["exporters"]["otlphttp/twinfeed"]
    assert exporter["metrics_endpoint"] == f"{server.url}/v1/metrics"
    assert exporter["headers"] == {"Authorization": f"Bearer {datasource.key}"}
    assert config["service"]["pipelines"]["metrics"]["exporters"] == ["otlphttp/twinfeed"]
