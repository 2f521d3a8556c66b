"""Secrets that must be read again (a webhook's): encrypted at rest under the server's key.

Invariant: a sealed text opens under any key of the list and is always made under the first, so a key
is changed by putting a new one in front; the next start seals everything anew under it.
"""

import base64
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import psycopg
import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from twin.db.pool import conninfo
from twin.db.queries import load
from twin.errors import StartupError
from twin.settings import Settings

log = structlog.get_logger("twin.vault")

MIN_CHARACTERS = 32
KEY_FILE = "secret.key"
_PURPOSE = b"twinfeed sealed secrets 1"


class Vault:
    """Seals and opens texts."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Seal under the first key, open under any. Raises StartupError for a short one."""
        if not keys or any(len(key) < MIN_CHARACTERS for key in keys):
            raise StartupError(
                f"TWINFEED_SECRET_KEY must be keys of at least {MIN_CHARACTERS} characters, newest "
                "first, with commas between them: openssl rand -hex 32."
            )
        self._fernet = MultiFernet([_fernet(key) for key in keys])

    def seal(self, text: str) -> str:
        """Return a text encrypted and authenticated under the first key."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return what was sealed. Raises ValueError when no key opens it."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise ValueError("no key opens this secret") from None

    def sealed_anew(self, sealed: str) -> str:
        """Return the same text sealed under the first key. Raises ValueError as `open`."""
        return self.seal(self.open(sealed))


def given_keys(settings: Settings) -> list[str]:
    """Return the keys of the setting, newest first."""
    return [key.strip() for key in (settings.secret_key or "").split(",") if key.strip()]


def kept_key(settings: Settings, url: str) -> str | None:
    """Return the key that was made here, if one was. Raises StartupError when it cannot be read."""
    if settings.database_url:
        return _key_in_database(url, make=False)
    return _key_in_file(Path(settings.data_dir) / KEY_FILE, make=False)


def secret_keys(settings: Settings, url: str) -> list[str]:
    """Return the keys to seal and open with: the setting's, newest first, then the one made here.

    Without the setting a key is made once: in the data directory, readable by its owner alone, for the
    embedded database; else in the database, where all its servers find it. Raises StartupError.
    """
    given = given_keys(settings)
    if settings.database_url:
        made = _key_in_database(url, make=not given)
        if made and not given:
            log.warning("secrets are sealed under a key kept beside them: set TWINFEED_SECRET_KEY")
    else:
        made = _key_in_file(Path(settings.data_dir) / KEY_FILE, make=not given)
    return [*given, *([made] if made else [])]


def seal_anew(url: str, vault: Vault) -> None:
    """Seal every stored secret under the vault's first key, also those from before there was one.

    Raises StartupError when some cannot be opened: their key is missing from the setting.
    """
    sql, lost = load("twin", "secrets"), 0
    with psycopg.connect(conninfo(url)) as conn:
        for webhook_id, plain, sealed in conn.execute(sql["webhook_secrets"]).fetchall():
            try:
                anew = vault.seal(plain) if sealed is None else vault.sealed_anew(sealed)
            except ValueError:
                lost += 1
                continue
            conn.execute(sql["seal_webhook_secret"], [anew, webhook_id])
        if lost:
            raise StartupError(
                f"{lost} stored secrets are sealed under a key that is not given: add the old key to "
                "TWINFEED_SECRET_KEY, after the new one and a comma."
            )


def _key_in_database(url: str, *, make: bool) -> str | None:
    sql = load("twin", "secrets")
    with psycopg.connect(conninfo(url)) as conn:
        if make:
            conn.execute(sql["insert_kept_key"], [secrets.token_hex(32)])
        row = conn.execute(sql["kept_key"]).fetchone()
        return None if row is None else str(row[0])


def _key_in_file(path: Path, *, make: bool) -> str | None:
    # The directory's lock is held: no other server makes one at the same time.
    try:
        if not path.exists():
            if not make:
                return None
            draft = path.with_suffix(".new")
            draft.unlink(missing_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(32) + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise StartupError(f"The key file {path} cannot be used: {exc}.") from exc


def _fernet(key: str) -> Fernet:
    # The key's text is of any form; HKDF makes the 32 bytes that Fernet takes.
    derived = HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
