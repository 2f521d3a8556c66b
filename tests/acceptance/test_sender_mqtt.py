"""docs/senders/mqtt.md, run as it stands there."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.exposition import eventually
from support.mosquitto import Mosquitto, needs_mosquitto
from support.pages import example, merged
from support.server import RunningServer
from support.stored import learned

pytestmark = pytest.mark.one_home


@needs_mosquitto
def test_the_page_on_mqtt(server: RunningServer, tmp_path: Path) -> None:
    datasource = server.datasource()
    log = tmp_path / "log"
    with Mosquitto(tmp_path) as broker:
        port = {"127.0.0.1:1883": f"127.0.0.1:{broker.port}", "-p 1883": f"-p {broker.port}"}
        script = example("mqtt.md", "bridge", datasource, **port)
        script = script.replace("twinfeed mqtt", f"exec {sys.executable} -m twin mqtt")
        env = {k: v for k, v in os.environ.items() if not k.startswith("TWINFEED_")}
        with log.open("wb") as out:
            bridge = subprocess.Popen(["bash", "-ec", script], env=env, stderr=out)
        try:
            eventually(lambda: '"connected"' in log.read_text(), within_s=60)
            publish = example("mqtt.md", "publish", datasource, **port)
            subprocess.run(["bash", "-ec", publish], check=True, timeout=30)
            eventually(lambda: learned(datasource)[2] == 2, within_s=60)
        finally:
            bridge.send_signal(signal.SIGTERM)
            assert bridge.wait(40) == 0, log.read_text()
    assert merged(datasource) == {
        "press1": {"temperature": 42.5, "motor.rpm": 1500, "pressure": 1.8}
    }
