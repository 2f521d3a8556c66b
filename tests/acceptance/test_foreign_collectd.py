"""collectd, Debian's package, with its plugin write_http in JSON."""

import ctypes.util
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from support.exposition import eventually
from support.server import RunningServer
from support.stored import learned, stored

pytestmark = pytest.mark.one_home

COLLECTD = shutil.which("collectd", path="/usr/sbin:/usr/bin")
CONFIG = """
Hostname "station"
FQDNLookup false
Interval 0.5
BaseDir "{directory}"
PIDFile "{directory}/collectd.pid"
LoadPlugin logfile
<Plugin logfile>
  File "{directory}/collectd.log"
</Plugin>
LoadPlugin load
LoadPlugin memory
LoadPlugin write_http
<Plugin write_http>
  <Node "twinfeed">
    URL "{url}"
    User "collectd"
    Password "{key}"
    Format "JSON"
    StoreRates true
    BufferSize 4096
    LogHttpError true
  </Node>
</Plugin>
"""


@pytest.mark.skipif(
    COLLECTD is None or ctypes.util.find_library("yajl") is None,
    reason="needs Debian's packages collectd-core, libyajl2 and libcurl3-gnutls",
)
def test_collectd_writes_by_http(server: RunningServer, tmp_path: Path) -> None:
    assert COLLECTD is not None
    datasource = server.datasource()
    config = tmp_path / "collectd.conf"
    config.write_text(CONFIG.format(directory=tmp_path, url=datasource.url, key=datasource.key))
    process = subprocess.Popen([COLLECTD, "-f", "-C", str(config)])
    try:
        eventually(lambda: learned(datasource)[2] > 0)
        time.sleep(1)
    finally:
        process.terminate()  # it sends what it holds
        process.wait(20)
    log = (tmp_path / "collectd.log").read_text()
    assert "HTTP Error" not in log, log
    keys, devices, _ = learned(datasource)
    assert {"load.load.shortterm", "load.load.midterm", "memory.memory"} <= set(keys)
    assert {"host=station", "host=station,type_instance=free"} <= set(devices)
    now_us = time.time_ns() // 1000
    for (_, ts_us), values in stored(datasource).items():
        assert now_us - 60_000_000 < ts_us <= now_us
        assert all(value >= 0 for value in values.values())


def test_value_lists_are_judged_one_by_one(server: RunningServer) -> None:
    datasource = server.datasource()
    good = {
        "values": [1.5, None],
        "dstypes": ["derive", "derive"],
        "dsnames": ["rx", "tx"],
        "time": 1_700_000_000.25,
        "interval": 10.0,
        "host": "a",
        "plugin": "interface",
        "plugin_instance": "eth0",
        "type": "if_octets",
        "type_instance": "",
        "meta": {"network:received": True},
    }
    bad = [good | {"values": [1]}, good | {"host": 5}, good | {"dsnames": [1, 2]}]
    bad += [good | {"values": [[1], 2]}, good | {"time": "soon"}]
    answer = datasource.post([good, *bad])
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 5)
    assert [error["index"] for error in answer.json()["errors"]] == [1, 2, 3, 4, 5]
    place = ("host=a,plugin_instance=eth0", 1_700_000_000_250_000)
    assert stored(datasource) == {place: {"interface.if_octets.rx": 1.5}}
