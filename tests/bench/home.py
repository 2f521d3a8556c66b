"""A database for the benchmark and a server on it; both are gone afterwards."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.bench import plant
from tests.bench.generator import Load, Outcome, prepare, requests
from tests.bench.process import alone
from tests.bench.usage import Meter, Used
from tests.support.server import Datasource, RunningServer, start_server
from twin.db.embedded import running_url
from twin.db.pool import conninfo

PROCESS_GRACE_S = 90.0


class Home:
    """A running server, its database, and what both use."""

    def __init__(self, server: RunningServer, database_url: str) -> None:
        self.server = server
        self.database_url = database_url
        self.port = int(server.url.rsplit(":", 1)[1])
        postmaster = _postmaster(database_url)
        self._meter = Meter(server.process.pid, without=postmaster)
        self._database_meter = Meter(postmaster) if postmaster else None

    def play(self, load: Load) -> tuple[Outcome, Used, Used | None]:
        """Run a load in a process; return its outcome, and what server and database used."""
        meters = [m for m in (self._meter, self._database_meter) if m is not None]
        for meter in meters:
            meter.begin()
        outcome = alone(prepare, load, load.limit_s + PROCESS_GRACE_S)
        used = [meter.end() for meter in meters]
        return outcome, used[0], used[1] if len(used) > 1 else None

    @property
    def meter(self) -> Meter:
        """Measures the server, its database left out."""
        return self._meter

    def run(self, statement: str, *arguments: Any) -> None:
        """Run a statement in the product's schema."""
        with psycopg.connect(conninfo(self.database_url), autocommit=True) as conn:
            conn.execute(statement.encode(), arguments or None)

    def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Run a query in the product's schema."""
        with psycopg.connect(conninfo(self.database_url), autocommit=True) as conn:
            return conn.execute(query.encode(), arguments).fetchall()

    def plant_datasource(self, name: str) -> Datasource:
        """Create a datasource that knows the plant's devices and keys."""
        made = self.server.datasource(name)
        body = next(plant.json_bodies("flat", plant.now_ms() - 60_000, 1))
        answer = made.post(body, Content_Type="application/json")
        assert answer.status_code == 200, answer.text
        return made

    def slots(self, made: Datasource) -> tuple[list[int], list[int]]:
        """Return the stream of every device and the column of every key, in the plant's order."""
        streams = self.rows(
            "SELECT s.device, s.stream_id FROM streams s JOIN datasources d USING (datasource_no)"
            " WHERE d.id = %s AND s.page = 0",
            made.id,
        )
        keys = self.rows(
            "SELECT k.key, k.slot FROM data_keys k JOIN datasources d USING (datasource_no)"
            " WHERE d.id = %s",
            made.id,
        )
        stream_of, slot_of = dict(streams), dict(keys)
        return [stream_of[d] for d in plant.device_names()], [slot_of[k] for k in plant.KEYS]


def ingest_load(
    home: Home, made: Datasource, *, connections: int, limit_s: float, **more: Any
) -> Load:
    """Return a load of POSTs to a datasource; `make` and `arguments` give the bodies."""
    make, arguments = more.pop("make"), more.pop("arguments", {})
    content_type = more.pop("content_type", "application/json")
    return Load(
        port=home.port,
        connections=connections,
        limit_s=limit_s,
        make=ingest_requests,
        arguments={
            "datasource_id": made.id,
            "key": made.key,
            "make": make,
            "with_": arguments,
            "content_type": content_type,
        },
        **more,
    )


def ingest_requests(
    datasource_id: str, key: str, make: Any, with_: dict[str, Any], content_type: str
) -> list[bytes]:
    """Return POSTs of the bodies that `make(**with_)` gives."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": content_type}
    return requests(f"/ingest/{datasource_id}", headers, make(**with_))


@contextmanager
def opened(given_url: str | None, workers: int, writers: int, **settings: str) -> Iterator[Home]:
    """Start a server on a new database at `given_url`, or on an embedded one (None)."""
    with tempfile.TemporaryDirectory(prefix="twinfeed-bench-") as directory:
        os.chmod(directory, 0o755)  # PostgreSQL is another user when we are root
        data_dir = Path(directory) / "data"
        database = _new_database(given_url) if given_url else nullcontext(None)
        with (
            database as url,
            start_server(
                url, workers=workers, writers=str(writers), data_dir=str(data_dir), **settings
            ) as server,
        ):
            found = url or running_url(data_dir)
            assert found is not None
            yield Home(server, found)


@contextmanager
def _new_database(given_url: str) -> Iterator[str]:
    name = f"twinfeed_bench_{os.getpid()}"
    with psycopg.connect(given_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield make_conninfo(given_url, dbname=name)
    finally:
        with psycopg.connect(given_url, autocommit=True) as conn:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            conn.execute(drop.format(sql.Identifier(name)))


def _postmaster(database_url: str) -> int | None:
    """Return the process id of the database's server when it runs on this machine."""
    with psycopg.connect(database_url) as conn:
        row = conn.execute("SELECT pg_backend_pid()").fetchone()
        host = conn.info.host
        assert row is not None
        if not (host.startswith("/") or host in ("127.0.0.1", "::1", "localhost")):
            return None
        try:
            backend = psutil.Process(row[0])
            return backend.ppid() if "postgres" in backend.name() else None
        except psutil.NoSuchProcess:
            return None
