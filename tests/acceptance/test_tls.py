"""HTTPS by two settings, and secrets that are in no list of processes."""

import datetime as dt
import ipaddress
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.server import ADMIN_KEY, free_port

pytestmark = pytest.mark.one_home

START_S = 60


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a key and a certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "twinfeed test")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    cert_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_path, key_path


def test_https_and_what_the_list_of_processes_shows(tmp_path: Path, database_url: str) -> None:
    cert, key = certificate(tmp_path)
    port = free_port()
    url = with_password(database_url)
    env = {k: v for k, v in os.environ.items() if not k.startswith("TWINFEED_")}
    env |= {"TWINFEED_ADMIN_KEY": ADMIN_KEY, "TWINFEED_SECRET_KEY": "s3cret" * 8}
    flags = ["--tls-cert", str(cert), "--tls-key", str(key), "--port", str(port)]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "twin", "serve", *flags, "--database-url", url],
            env=env,
            stdout=output,
            stderr=output,
        )
    try:
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        base = f"https://127.0.0.1:{port}"
        trusted = ssl.create_default_context(cafile=str(cert))
        with httpx.Client(base_url=base, verify=trusted, headers=headers) as client:
            until_healthy(process, client)
            made = client.post("/v1/datasources", json={"name": "d"}).json()
            assert made["ingest_url"].startswith(f"https://127.0.0.1:{port}/ingest/")
            sent = {"Authorization": made["api_key"]}
            assert client.post(made["ingest_url"], json={"a": 1}, headers=sent).status_code == 200
        main = psutil.Process(process.pid)
        for each in (main, *main.children(recursive=True)):
            shown = " ".join(each.cmdline())
            for secret in (ADMIN_KEY, "s3cret", "pass-word"):
                assert secret not in shown
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/health")
    finally:
        process.terminate()
        assert process.wait(40) == 0, log.read_text()
    assert "pass-word" not in log.read_text()


def with_password(url: str) -> str:
    """The same server, and a password in the URL; one that does not ask for it does not mind."""
    given = conninfo_to_dict(url)
    return make_conninfo(**{"password": "pass-word", **given})


def until_healthy(process: subprocess.Popen[bytes], client: httpx.Client) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            if client.get("/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


@pytest.mark.parametrize("given", ["both bad", "no key", "no file"])
def test_a_certificate_that_cannot_be_used(tmp_path: Path, database_url: str, given: str) -> None:
    cert, key = certificate(tmp_path)
    flags = {
        "both bad": ["--tls-cert", str(key), "--tls-key", str(cert)],
        "no key": ["--tls-cert", str(cert)],
        "no file": ["--tls-cert", str(cert), "--tls-key", str(tmp_path / "absent")],
    }[given]
    done = subprocess.run(
        [sys.executable, "-m", "twin", "serve", *flags],
        env={**os.environ, "TWINFEED_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("twinfeed: ")
    assert "TLS" in done.stderr
