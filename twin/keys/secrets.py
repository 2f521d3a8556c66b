"""Making and hashing key secrets. 256 random bits need no slow hash."""

import hashlib
import re
import secrets

VIEW_PREFIX = "tfv_"
SESSION_PREFIX = "tfs_"
MANAGEMENT_KEY = re.compile(r"tf_(live|test)_[0-9a-f]{64}")


def new_management_secret(environment: str) -> str:
    """Return a new management key: ``tf_live_`` or ``tf_test_`` and 64 hex digits."""
    return f"tf_{environment}_{secrets.token_hex(32)}"


def new_ingest_secret() -> str:
    """Return a new ingest key: ``tfi_`` and 64 hex digits."""
    return f"tfi_{secrets.token_hex(32)}"


def new_application_secret() -> str:
    """Return a new application token: ``tfa_`` and 64 hex digits."""
    return f"tfa_{secrets.token_hex(32)}"


def new_view_secret() -> str:
    """Return a new view token: ``tfv_`` and 64 hex digits."""
    return f"{VIEW_PREFIX}{secrets.token_hex(32)}"


def new_session_secret() -> str:
    """Return what a signed-in browser's cookie holds: ``tfs_`` and 64 hex digits."""
    return f"{SESSION_PREFIX}{secrets.token_hex(32)}"


def new_id(prefix: str) -> str:
    """Return a new public id: a prefix and 96 random bits as hex."""
    return f"{prefix}_{secrets.token_hex(12)}"


def digest(secret: str | bytes) -> bytes:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).digest()
