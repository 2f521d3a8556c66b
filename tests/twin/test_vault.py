"""Sealed secrets: which key opens what, how the key is changed, and what was stored before."""

import stat
from pathlib import Path

import psycopg
import pytest

from twin.db.migrate import migrate
from twin.db.pool import conninfo
from twin.errors import StartupError
from twin.settings import Settings
from twin.vault import KEY_FILE, Vault, seal_anew, secret_keys

OLD, NEW, OTHER = "o" * 32, "n" * 32, "x" * 40


def test_a_key_is_changed_by_putting_a_new_one_in_front() -> None:
    sealed = Vault([OLD]).seal("secret")
    assert "secret" not in sealed
    assert Vault([NEW, OLD]).open(sealed) == "secret"
    anew = Vault([NEW, OLD]).sealed_anew(sealed)
    assert Vault([NEW]).open(anew) == "secret"
    for wrong in (sealed, "", "nonsense", anew[:-4] + "AAAA"):
        with pytest.raises(ValueError, match="no key"):
            Vault([OTHER]).open(wrong)


@pytest.mark.parametrize("keys", [[], [""], ["o" * 31], [OLD, "short"]])
def test_a_weak_key_is_refused(keys: list[str]) -> None:
    with pytest.raises(StartupError, match="TWINFEED_SECRET_KEY"):
        Vault(keys)


def test_the_embedded_homes_key_is_a_file_for_its_owner(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path))
    (made,) = secret_keys(settings, "")
    assert secret_keys(settings, "") == [made]
    path = tmp_path / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    given = Settings(data_dir=str(tmp_path), secret_key=f" {NEW} ,{OLD}")
    assert secret_keys(given, "") == [NEW, OLD, made]  # what the file's key sealed opens still
    path.write_bytes(b"\xff")
    with pytest.raises(StartupError, match=KEY_FILE):
        secret_keys(settings, "")


def test_servers_of_one_database_share_a_key(database_url: str) -> None:
    migrate(database_url)
    settings = Settings(database_url=database_url)
    (made,) = secret_keys(settings, database_url)
    assert secret_keys(settings, database_url) == [made]
    given = Settings(database_url=database_url, secret_key=NEW)
    assert secret_keys(given, database_url) == [NEW, made]


def test_what_was_stored_plain_or_under_an_old_key_is_sealed_anew(database_url: str) -> None:
    migrate(database_url)
    with psycopg.connect(conninfo(database_url)) as conn:
        conn.execute("INSERT INTO organisations (tenant_id, name) VALUES ('o', 'o')")
        insert = (
            "INSERT INTO webhooks (webhook_id, org_id, environment, name, url, secret,"
            " sealed_secret) SELECT gen_random_uuid(), org_id, 'live', %s, 'u', %s, %s"
            " FROM organisations"
        )
        conn.execute(insert, ["plain", "first", None])
        conn.execute(insert, ["sealed", None, Vault([OLD]).seal("second")])
        conn.execute(insert, ["none", None, None])
    with pytest.raises(StartupError, match="1 stored secret"):
        seal_anew(database_url, Vault([NEW]))
    seal_anew(database_url, Vault([NEW, OLD]))
    seal_anew(database_url, Vault([NEW]))
    with psycopg.connect(conninfo(database_url)) as conn:
        rows = conn.execute("SELECT name, secret, sealed_secret FROM webhooks").fetchall()
    assert all(plain is None for _, plain, _ in rows)
    opened = {name: Vault([NEW]).open(sealed) for name, _, sealed in rows if sealed}
    assert opened == {"plain": "first", "sealed": "second"}
