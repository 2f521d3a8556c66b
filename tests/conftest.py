"""Fixtures: a real database for every test that needs one, and real servers.

The session's cluster is the embedded PostgreSQL, or the server at TWINFEED_TEST_DATABASE_URL; each
database in it is fresh. With TWINFEED_TEST_NO_SKIP a skipped test fails.

On a given server only those tests run that reach it: one without the cluster among its fixtures is left
out, and so is one marked one_home. The summary tells which.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

sys.path.insert(0, str(Path(__file__).parent))

from support.server import LOGS, RunningServer, look_through_logs, start_server

from twin.db.embedded import EmbeddedServer

# An example that takes long tells of a busy machine, not of a fault.
hypothesis.settings.register_profile("twinfeed", deadline=None)
hypothesis.settings.load_profile("twinfeed")

NO_SKIP = "TWINFEED_TEST_NO_SKIP"
DATABASE_URL = "TWINFEED_TEST_DATABASE_URL"
LEFT_OUT = pytest.StashKey[list[tuple[str, int]]]()
"""Files and how many of their tests are left out of this home."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    report = yield
    if os.environ.get(NO_SKIP) and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what says nothing about a given server."""
    if not os.environ.get(DATABASE_URL):
        return
    kept: list[pytest.Item] = []
    out: list[pytest.Item] = []
    for item in items:
        reaches_it = "cluster_url" in getattr(item, "fixturenames", ())
        (kept if reaches_it and not item.get_closest_marker("one_home") else out).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=out)
    told = sorted(Counter(item.nodeid.partition("::")[0] for item in out).items())
    config.stash[LEFT_OUT] = told
    if hasattr(config, "workeroutput"):
        config.workeroutput["left_out"] = told


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a test process left out: all leave out the same."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say which tests did not run on this home."""
    told = config.stash.get(LEFT_OUT, [])
    if told:
        count = sum(number for _, number in told)
        terminalreporter.section(f"{count} tests left out: not about the given server")
        for path, number in told:
            terminalreporter.line(f"{path}: {number}")


@pytest.fixture(scope="session", autouse=True)
def clean_logs() -> Iterator[None]:
    """After the last test: no log of a server that a test started by hand holds a secret."""
    yield
    look_through_logs(*LOGS)


@pytest.fixture(scope="session")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a superuser on the session's cluster."""
    given = os.environ.get(DATABASE_URL)
    if given:
        yield given
        return
    with EmbeddedServer.start(tmp_path_factory.mktemp("cluster")) as server:
        with psycopg.connect(server.url, autocommit=True) as conn:
            conn.execute("ALTER SYSTEM SET fsync = off")  # tests kill processes, never the machine
            conn.execute("SELECT pg_reload_conf()")
        yield server.url


@pytest.fixture(scope="session")
def new_database(cluster_url: str) -> Iterator[Callable[[], str]]:
    """A function that makes an empty database and returns its URL; none outlives the session."""
    made: list[str] = []

    def make() -> str:
        name = f"twinfeed_test_{os.getpid()}_{len(made)}"
        with psycopg.connect(cluster_url, autocommit=True) as conn:
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        made.append(name)
        return make_conninfo(**{**conninfo_to_dict(cluster_url), "dbname": name})

    yield make
    if not os.environ.get(DATABASE_URL):
        return  # they go with their cluster
    with psycopg.connect(cluster_url, autocommit=True) as conn:
        for name in made:
            found = "SELECT oid FROM pg_database WHERE datname = %s"
            oids = conn.execute(found, [name]).fetchall()
            # TimescaleDB's scheduler may hold a connection.
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            conn.execute(drop.format(sql.Identifier(name)))
            for (oid,) in oids:
                role = sql.Identifier(f"twinfeed_api_{oid}")
                conn.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    """URL of an empty database of the test's own."""
    return new_database()


@pytest.fixture(scope="session")
def server(new_database: Callable[[], str]) -> Iterator[RunningServer]:
    """A server that all tests share, with two workers; make your own datasource in it."""
    with start_server(new_database(), workers=2) as running:
        yield running


@pytest.fixture
def own_server(database_url: str) -> Iterator[RunningServer]:
    """A server of the test's own, with one worker, on a database of its own."""
    with start_server(database_url) as running:
        yield running
