"""SQL views: what they show, how they follow the keys, and who may read them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.widgets.lab import Lab, open_lab
from twin.clock import to_datetime
from twin.db.pool import conninfo
from twin.errors import StartupError
from twin.jobs import session
from twin.schema import Wanted
from twin.sqlviews.job import LOCK_TIMEOUT, keep_views
from twin.sqlviews.names import column_names, other_view_name, view_name
from twin.sqlviews.users import create_user

T0_US = 1_767_225_600_000_000
KINDS = {"motor.rpm": "number", "on": "boolean", "state": "text"}


def with_lab(database_url: str, scenario: Callable[[Lab], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_lab(database_url) as lab:
            await scenario(lab)

    asyncio.run(run())


async def keep(lab: Lab) -> None:
    async with session(lab.ground, "views", lock_timeout=LOCK_TIMEOUT) as conn:
        await keep_views(conn)


def rows(url: str, query: str, *params: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(conninfo(url), autocommit=True) as conn:
        return conn.execute(query.encode(), params or None).fetchall()


def execute(url: str, statement: str, *params: Any) -> None:
    with psycopg.connect(conninfo(url), autocommit=True) as conn:
        conn.execute(statement.encode(), params or None)


def views(url: str) -> list[str]:
    query = "SELECT viewname FROM pg_views WHERE schemaname = 'twin_sql' ORDER BY 1"
    return [str(name) for (name,) in rows(url, query)]


def test_a_view_has_the_keys_with_their_kinds(database_url: str) -> None:
    async def scenario(lab: Lab) -> None:
        schema = await lab.datasource(KINDS, ("a", "b"))
        wanted = Wanted()
        wanted.labels = {"RUN": None, "ÖFFNEN": None}
        await lab.ground.schemas.learn(schema, wanted)
        lab.put(schema, [("a", T0_US, {"motor.rpm": 1.5, "on": 1, "state": 1})])
        lab.put(schema, [("b", T0_US + 1, {"on": 0})])
        await keep(lab)
        shown = 'SELECT ts, device, "motor.rpm", "on", state FROM twin_sql.plant ORDER BY ts'
        assert rows(database_url, shown) == [
            (to_datetime(T0_US), "a", 1.5, True, "ÖFFNEN"),
            (to_datetime(T0_US + 1), "b", None, False, None),
        ]
        # A new key, and one on the next page of slots: the first columns stay where they were.
        await lab.ground.schemas.learn(schema, _more({f"k{i}": "number" for i in range(20)}))
        lab.put(schema, [("a", T0_US + 2, {"motor.rpm": 2.5, "k19": 7.0})])
        await keep(lab)
        assert rows(database_url, "SELECT * FROM twin_sql.plant ORDER BY ts DESC LIMIT 1") == [
            (to_datetime(T0_US + 2), "a", 2.5, None, None, *[None] * 19, 7.0)
        ]
        # A declared key's kind becomes known: the column's type changes.
        execute(database_url, "UPDATE data_keys SET kind = 'text' WHERE key = 'k3'")
        await keep(lab)
        kind = (
            "SELECT data_type FROM information_schema.columns"
            " WHERE table_schema = 'twin_sql' AND table_name = 'plant' AND column_name = 'k3'"
        )
        assert rows(database_url, kind) == [("text",)]

    with_lab(database_url, scenario)


def _more(kinds: dict[str, Any]) -> Wanted:
    wanted = Wanted()
    wanted.kinds = kinds
    wanted.streams = {("a", 1): None}
    return wanted


def test_names_are_kept_apart_and_kept(database_url: str) -> None:
    async def scenario(lab: Lab) -> None:
        first = await lab.datasource({"n": "number"})
        second = await lab.datasource({"n": "number"})
        await keep(lab)
        other = other_view_name("plant", second.id)
        assert views(database_url) == sorted(["plant", other])
        execute(database_url, "UPDATE datasources SET name = 'Renamed' WHERE id = %s", first.id)
        await keep(lab)
        assert views(database_url) == sorted(["plant", other])

        execute(database_url, "UPDATE datasources SET deleted_at = now() WHERE id = %s", first.id)
        lab.put(second, [("", T0_US, {"n": 1})])
        assert rows(database_url, "SELECT count(*) FROM twin_sql.plant") == [(0,)]
        await keep(lab)
        assert views(database_url) == [other]
        assert rows(database_url, f"SELECT n FROM twin_sql.{other}") == [(1.0,)]

    with_lab(database_url, scenario)


def test_a_view_that_is_read_for_long_is_changed_later(database_url: str) -> None:
    async def scenario(lab: Lab) -> None:
        schema = await lab.datasource({"n": "number"})
        await keep(lab)
        await lab.ground.schemas.learn(schema, _more({"m": "number"}))
        async with await psycopg.AsyncConnection.connect(conninfo(database_url)) as reading:
            await reading.execute("SELECT n FROM twin_sql.plant")
            await keep(lab)
            count = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'plant'"
            assert rows(database_url, count) == [(3,)]
        await keep(lab)
        assert rows(database_url, count) == [(4,)]

    with_lab(database_url, scenario)


def test_a_login_reads_its_organisation_and_nothing_else(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    made: list[str] = []
    request.addfinalizer(lambda: drop_roles(database_url, made))

    async def scenario(lab: Lab) -> None:
        own = await lab.datasource({"n": "number"})
        lab.put(own, [("", T0_US, {"n": 1})])
        other = other_organisation(database_url)
        foreign = await lab.datasource({"n": "number"})
        execute(
            database_url,
            "UPDATE datasources SET org_id = %s, name = 'secret' WHERE id = %s",
            other,
            foreign.id,
        )
        lab.put(foreign, [("", T0_US, {"n": 42})])
        await keep(lab)

        name = f"reader_{own.id.hex[:8]}"
        made.extend([name, f"twinfeed_{lab.principal.tenant_id}"])
        user = create_user(database_url, name, lab.principal.tenant_id, "live")
        assert user.views == ["plant"]
        assert user.password
        later = await lab.datasource({"n": "number"})
        await keep(lab)

        with psycopg.connect(as_user(database_url, name, user.password), autocommit=True) as conn:
            assert conn.execute("SELECT n FROM plant").fetchall() == [(1.0,)]
            new_view = sql.Identifier(other_view_name("plant", later.id))
            conn.execute(sql.SQL("SELECT * FROM {}").format(new_view))
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                conn.execute("CREATE TABLE t (a int)")
            conn.execute("SET default_transaction_read_only = off")  # a default, not the bound
            for refused in (
                "SELECT * FROM twin_sql.secret",
                "SELECT * FROM twinfeed.readings",
                "SELECT * FROM twinfeed.management_secrets",
                "SELECT channel FROM twinfeed.home",
                "SELECT twinfeed.tell('keys ')",
                "CREATE VIEW twin_sql.mine AS SELECT 1",
                f"SELECT * FROM {chunk(database_url)}",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(refused.encode())
            seen = peeked(conn)
            assert conn.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("1min",)
            if conn.info.server_version >= 170000:
                assert conn.execute("SHOW transaction_timeout").fetchone() == ("1min",)
        assert 1.0 in seen
        assert 42.0 not in seen

        for taken in ("public", "none", "pg_mine"):
            with pytest.raises(StartupError, match="PostgreSQL's own"):
                create_user(database_url, taken, lab.principal.tenant_id, "live")
        again = create_user(database_url, name, lab.principal.tenant_id, "live")
        assert again.password != user.password

    with_lab(database_url, scenario)


def peeked(conn: psycopg.Connection[tuple[Any, ...]]) -> list[float]:
    """What a condition of the reader's own, called as early as may be, gets to see."""
    seen: list[float] = []
    conn.add_notice_handler(lambda note: seen.append(float(note.message_primary or "nan")))
    conn.execute(
        "CREATE FUNCTION pg_temp.peek(float8) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS"
        " $$BEGIN RAISE NOTICE '%', $1; RETURN true; END$$"
    )
    conn.execute("SELECT * FROM plant WHERE pg_temp.peek(n)")
    return seen


def chunk(url: str) -> str:
    """A partition or chunk, behind the table's back."""
    query = (
        "SELECT inhrelid::regclass::text FROM pg_inherits"
        " WHERE inhparent = 'twinfeed.readings'::regclass LIMIT 1"
    )
    name = str(rows(url, query)[0][0])
    return name if "." in name else f"twinfeed.{name}"


def other_organisation(url: str) -> int:
    insert = "INSERT INTO organisations (tenant_id, name) VALUES ('org_x', 'X') RETURNING org_id"
    return int(rows(url, insert)[0][0])


def as_user(url: str, name: str, password: str) -> str:
    return make_conninfo(**{**conninfo_to_dict(url), "user": name, "password": password})


def drop_roles(url: str, names: list[str]) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        for name in names:
            if (
                conn.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone()
                is not None
            ):
                conn.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
                conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_without_the_right_to_make_roles_it_says_what_to_do(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    server_role = "server_without_roles"
    group_names: list[str] = []
    request.addfinalizer(lambda: drop_roles(database_url, [*group_names, server_role]))

    async def scenario(lab: Lab) -> None:
        await lab.datasource({"n": "number"})
        await keep(lab)
        group = f"twinfeed_{lab.principal.tenant_id}"
        group_names.extend(["reader_by_hand", group])
        # As the tables' owner it would pass the wall between organisations.
        execute(database_url, f"CREATE ROLE {server_role} LOGIN BYPASSRLS PASSWORD 'x'")
        for schema in ("twinfeed", "twin_sql"):
            execute(database_url, f"GRANT ALL ON SCHEMA {schema} TO {server_role}")
            execute(database_url, f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {server_role}")
        execute(database_url, f"ALTER VIEW twin_sql.plant OWNER TO {server_role}")
        execute(database_url, f"ALTER SCHEMA twin_sql OWNER TO {server_role}")
        url = as_user(database_url, server_role, "x")
        with pytest.raises(StartupError, match=r"CREATEROLE.*CREATE ROLE .*reader_by_hand"):
            create_user(url, "reader_by_hand", None, "live")
        execute(database_url, f"CREATE ROLE {group}")
        execute(database_url, f"CREATE ROLE reader_by_hand LOGIN PASSWORD 'y' IN ROLE {group}")
        assert create_user(url, "reader_by_hand", None, "live").password is None
        with psycopg.connect(as_user(database_url, "reader_by_hand", "y")) as conn:
            conn.execute("SELECT n FROM twin_sql.plant")

    with_lab(database_url, scenario)


def test_an_existing_role_is_not_taken_over(database_url: str) -> None:
    async def scenario(lab: Lab) -> None:
        with pytest.raises(StartupError, match="is not a login of this organisation"):
            create_user(database_url, "pg_monitor", None, "live")

    try:
        with_lab(database_url, scenario)
    finally:
        tenants = rows(database_url, "SELECT tenant_id FROM organisations")
        drop_roles(database_url, [f"twinfeed_{tenant}" for (tenant,) in tenants])


@pytest.mark.parametrize(
    ("name", "environment", "expected"),
    [
        ("Pump line", "live", "pump_line"),
        ("Pump line", "test", "test_pump_line"),
        ("Große Anlage / Süd", "live", "groe_anlage_sud"),
        ("4711", "live", "datasource_4711"),
        ("ポンプ", "live", "datasource"),
        ("select", "live", "select"),
    ],
)
def test_names_of_views(name: str, environment: str, expected: str) -> None:
    assert view_name(name, environment) == expected


def test_long_names_are_cut_and_stay_apart() -> None:
    long = [view_name("x" * 100 + end, "live") for end in ("a", "b")]
    assert len(set(long)) == 2
    assert {len(name) for name in long} == {63}
    assert len(other_view_name(long[0], UUID(int=7))) <= 63
    names = column_names(["ts", "device", "ts_2", "ä" * 40, "ä" * 41, "a"])
    assert names[2:5] == ["ts_2", "device_2", "ts_2_2"]
    assert len(set(names)) == len(names)
    assert all(len(name.encode()) <= 63 for name in names)
