"""Row-level security: what a connection bound to one organisation sees of another."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.models import triangle
from support.server import RunningServer, start_server

from twin.db.migrate import migrate
from twin.db.pool import EVERYONE, AsyncPool, conninfo, open_pool
from twin.principal import Principal
from twin.settings import Settings

EXEMPT = {
    "home": "what kind of database this is; closed to requests",
    "migrations": "what was applied; closed to requests",
    "kept_key": "the server's own key; closed to requests",
    "limit_counts": "hashes and counts of the server's own",
    "readings": "columnstore and continuous aggregates refuse it; reached by stream ids from `streams`",
    "readings_partitioning": "a date",
    "rollup_1m": "as readings",
    "rollup_5m": "as readings",
    "rollup_15m": "as readings",
    "rollup_1h": "as readings",
    "rollup_dirty": "as readings: stream ids and hours, written by the hot path",
    "rollup_mark": "one row for the whole server",
}
CLOSED = {"home", "migrations", "kept_key"}


@pytest.fixture(scope="module")
def peopled(new_database: Callable[[], str]) -> str:
    """URL of a database in which two organisations have a row in every table of theirs."""
    url = new_database()
    with start_server(url) as server:
        _people(server, server.admin_key)
        made = server.post("/v1/organisations", {"name": "Second"})
        assert made.status_code == 201, made.text
        _people(server, made.json()["key"]["api_key"])
    with psycopg.connect(conninfo(url), autocommit=True) as conn:
        # What only alerts and time bring about.
        conn.execute(
            "INSERT INTO notices (webhook_id, rule_id, device, datasource_no, kind, alert, group_key,"
            " due_at) SELECT w.webhook_id, r.id, 'a', r.datasource_no, 'repeat', '{}', '',"
            " now() + interval '1 day'"
            " FROM webhooks AS w JOIN alert_rules AS r USING (org_id)"
        )
        conn.execute(
            "INSERT INTO alert_told (webhook_id, rule_id, device, datasource_no, is_firing)"
            " SELECT w.webhook_id, r.id, 'b', r.datasource_no, true"
            " FROM webhooks AS w JOIN alert_rules AS r USING (org_id)"
        )
        for statement in (
            "INSERT INTO deliveries (webhook_id, body) SELECT webhook_id, '{}' FROM webhooks",
            "INSERT INTO ingest_log (datasource_no, readings) SELECT datasource_no, 1 FROM datasources",
            "INSERT INTO removals (datasource_no) SELECT datasource_no FROM datasources"
            " ON CONFLICT DO NOTHING",
            "INSERT INTO datasource_totals (datasource_no) SELECT datasource_no FROM datasources"
            " ON CONFLICT DO NOTHING",
            "INSERT INTO sql_views SELECT datasource_no, 'v' || datasource_no, '' FROM datasources"
            " ON CONFLICT DO NOTHING",
        ):
            conn.execute(statement)
    return url


def _people(server: RunningServer, key: str) -> None:
    """Make one of everything that an organisation owns, with its key."""
    auth = {"Authorization": f"Bearer {key}"}

    def post(path: str, body: Any, **headers: str) -> Any:
        given = {"content": body} if isinstance(body, bytes) else {"json": body}
        answer = server.client.post(path, headers={**auth, **headers}, **given)
        assert answer.status_code in (200, 201), (path, answer.text)
        return answer.json()

    source = post("/v1/datasources", {"name": "Line"})
    sent = {"Authorization": f"Bearer {source['api_key']}"}
    hook = post("/v1/webhooks", {"name": "ops", "url": "http://127.0.0.1:9/"})
    rule = {"name": "hot", "datasource_id": source["id"], "key": "t", "condition": "greater_than"}
    rule |= {"threshold": 5, "severity": "info", "webhooks": [hook["id"]]}
    alert = post("/v1/alerts", rule)
    answer = server.client.post(source["ingest_url"], json={"t": 9, "s": "on"}, headers=sent)
    assert answer.status_code == 200, answer.text
    post(f"/v1/alerts/{alert['id']}/silence", {"until": "2099-01-01T00:00:00Z"})
    post("/v1/widgets", {"type": "single", "title": "T", "datasource_id": source["id"], "key": "t"})
    post("/v1/applications", {"name": "app"})
    glb = triangle()
    asset = post("/v1/assets?name=cube", glb, **{"Content-Type": "model/gltf-binary"})
    node = {"id": "a", "asset_id": asset["id"]}
    scene = post("/v1/scenes", {"name": "hall", "nodes": [node]})
    post(f"/v1/scenes/{scene['id']}/view-tokens", {})
    post("/v1/session", {"api_key": key})


def _tables(conn: psycopg.Connection[Any]) -> dict[str, bool]:
    """Return the tables and views of the schema and whether rows of each are protected."""
    rows = conn.execute(
        "SELECT relname, relrowsecurity FROM pg_class"
        " WHERE relnamespace = 'twinfeed'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')"
        " AND NOT relispartition"
    )
    return dict(rows.fetchall())


def _protected(url: str) -> list[str]:
    with psycopg.connect(conninfo(url)) as conn:
        return sorted(name for name, is_protected in _tables(conn).items() if is_protected)


def _with_pool(url: str, use: Callable[[AsyncPool], Awaitable[None]]) -> None:
    """Run a scenario with a pool as a worker has it."""
    role = migrate(url).api_role
    assert role is not None

    async def run() -> None:
        pool = open_pool(Settings(pool_size=2), url, role)
        await pool.open()
        try:
            await use(pool)
        finally:
            await pool.close()

    asyncio.run(run())


def _principal(org_id: int) -> Principal:
    return Principal(org_id, f"org_{org_id}", "live", frozenset({"admin"}), "key_1")


async def _counts(conn: psycopg.AsyncConnection[Any], tables: list[str]) -> dict[str, int]:
    found = {}
    for table in tables:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        row = await (await conn.execute(query)).fetchone()
        found[table] = row[0] if row else -1
    return found


def test_every_table_is_protected_or_says_why_not(database_url: str) -> None:
    migrate(database_url)
    with psycopg.connect(conninfo(database_url)) as conn:
        tables = _tables(conn)
    unprotected = {name for name, is_protected in tables.items() if not is_protected}
    assert unprotected - {"readings_partitioning"} == EXEMPT.keys() - {"readings_partitioning"}


def test_a_connection_sees_its_own_organisation_alone(peopled: str) -> None:
    tables = _protected(peopled)

    async def use(pool: AsyncPool) -> None:
        async with pool.everyone() as conn:
            everything = await _counts(conn, tables)
        shares = []
        for org_id in (1, 2):
            async with pool.bound(_principal(org_id)) as conn:
                shares.append(await _counts(conn, tables))
        async with pool.bound(_principal(3)) as conn:
            assert set((await _counts(conn, tables)).values()) == {0}
        async with pool.connection() as conn:
            assert set((await _counts(conn, tables)).values()) == {0}
        for table in tables:
            first, second = (share[table] for share in shares)
            assert first > 0, f"{table}: the first organisation has nothing to look for"
            assert second > 0, f"{table}: the second organisation has nothing to look for"
            assert first + second == everything[table], table

    _with_pool(peopled, use)


def test_a_forgotten_binding_shows_nothing(peopled: str) -> None:
    role = migrate(peopled).api_role
    assert role is not None
    tables = _protected(peopled)
    with psycopg.connect(conninfo(peopled, role=role), autocommit=True) as conn:
        for table in tables:
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            assert conn.execute(query).fetchone() == (0,), table


def test_a_bound_connection_changes_nothing_of_others(peopled: str) -> None:
    async def use(pool: AsyncPool) -> None:
        async with pool.bound(_principal(2)) as conn:
            found = await conn.execute("UPDATE widgets SET title = 'mine' RETURNING org_id")
            assert {row[0] for row in await found.fetchall()} == {2}
            found = await conn.execute("DELETE FROM alert_states WHERE rule_no IS NULL")
            assert found.rowcount == 0
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await conn.execute("UPDATE widgets SET org_id = 1")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await conn.execute(
                    "INSERT INTO applications (application_id, org_id, environment, name)"
                    " VALUES (%s, 1, 'live', 'theirs')",
                    [f"app_{uuid4().hex}"],
                )
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await conn.execute(
                    "INSERT INTO ingest_keys (key_id, datasource_no, name) SELECT %s, 1, 'theirs'",
                    [f"ik_{uuid4().hex}"],
                )

    _with_pool(peopled, use)


def test_requests_run_as_a_role_without_rights_on_what_a_start_reads(peopled: str) -> None:
    async def use(pool: AsyncPool) -> None:
        async with pool.everyone() as conn:
            row = await (
                await conn.execute(
                    "SELECT rolsuper, rolbypassrls, rolcanlogin FROM pg_roles"
                    " WHERE rolname = current_user"
                )
            ).fetchone()
            assert row == (False, False, False)
            for table in sorted(CLOSED):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await conn.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier(table)))
            for change in ("DELETE FROM audit_log", "TRUNCATE widgets", "DROP TABLE widgets"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await conn.execute(sql.SQL(change))  # type: ignore[arg-type]
            await conn.execute("RESET ROLE")
            row = await (await conn.execute("SELECT current_user = session_user")).fetchone()
            assert row == (False,)

    _with_pool(peopled, use)


def test_a_second_start_grants_nothing_anew_and_new_tables_are_granted(database_url: str) -> None:
    first = migrate(database_url)
    with psycopg.connect(conninfo(database_url), autocommit=True) as conn:
        conn.execute("CREATE TABLE later (org_id int)")
        assert migrate(database_url) == first
        row = conn.execute(
            "SELECT has_table_privilege(%s, 'later', 'INSERT')", [first.api_role]
        ).fetchone()
    assert row == (True,)


@pytest.mark.one_home
@pytest.mark.parametrize("may_make_roles", [True, False])
def test_a_login_that_may_not_make_roles_is_told_the_way_out(
    cluster_url: str,
    new_database: Callable[[], str],
    capsys: pytest.CaptureFixture[str],
    may_make_roles: bool,
) -> None:
    url = new_database()
    given = conninfo_to_dict(url)
    login = f"plain_{given['dbname']}"
    right = sql.SQL("CREATEROLE" if may_make_roles else "NOCREATEROLE")
    names = {"login": sql.Identifier(login), "database": sql.Identifier(str(given["dbname"]))}
    with psycopg.connect(cluster_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE ROLE {login} LOGIN {right}").format(**names, right=right))
        conn.execute(sql.SQL("ALTER DATABASE {database} OWNER TO {login}").format(**names))
        conn.execute(sql.SQL("ALTER ROLE {login} PASSWORD 'plain'").format(**names))
    plain = make_conninfo(**{**given, "user": login, "password": "plain"})
    role = f"twinfeed_api_{_oid(url)}"
    assert migrate(plain).api_role == (role if may_make_roles else None)
    if not may_make_roles:
        told = capsys.readouterr().out
        assert f'CREATE ROLE "{role}" NOLOGIN; GRANT "{role}" TO "{login}";' in told
        with psycopg.connect(url, autocommit=True) as conn:
            made = sql.Identifier(role)
            conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(made))
            conn.execute(sql.SQL("GRANT {} TO {}").format(made, names["login"]))
        assert migrate(plain).api_role == role
    with psycopg.connect(conninfo(plain, role=role)) as conn:
        assert conn.execute("SELECT count(*) FROM organisations").fetchone() == (0,)


def _oid(url: str) -> int:
    with psycopg.connect(url) as conn:
        found = conn.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
        return int((found.fetchone() or (0,))[0])


def _users_of(call: str) -> set[str]:
    """Return the modules that call a method of the pool."""
    root = Path(__file__).parents[2]
    return {
        str(path.relative_to(root))
        for folder in ("twin", "ingest", "widgets", "alerts")
        for path in (root / folder).rglob("*.py")
        if re.search(rf"pool\.{call}\(", path.read_text())
    }


def test_every_use_of_the_pool_says_for_whom() -> None:
    assert _users_of("connection") == set()


def test_who_may_see_everything_says_why() -> None:
    """Whatever serves a caller is bound to the caller, so that the wall stands behind it."""
    assert _users_of("everyone") == EVERYONE.keys()
    assert all(EVERYONE.values())
