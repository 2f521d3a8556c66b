"""Names of views, columns and roles. Pure.

Invariant: a name has at most 63 bytes, PostgreSQL's bound; one that is cut ends in a hash of the whole,
so that two long names stay two.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from uuid import UUID

MAX_BYTES = 63
_HASH_DIGITS = 8


def fitting(name: str) -> str:
    """Return a name within PostgreSQL's bound."""
    if len(name.encode()) <= MAX_BYTES:
        return name
    suffix = "_" + hashlib.sha256(name.encode()).hexdigest()[:_HASH_DIGITS]
    return name.encode()[: MAX_BYTES - len(suffix)].decode(errors="ignore") + suffix


def view_name(datasource: str, environment: str) -> str:
    """Return the wanted name of a datasource's view: lower case, without a need for quotes."""
    plain = unicodedata.normalize("NFKD", datasource).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    name = slug if slug[:1].isalpha() else f"datasource_{slug}".rstrip("_")
    return fitting(name if environment == "live" else f"{environment}_{name}")


def other_view_name(name: str, datasource_id: UUID) -> str:
    """Return the name of a view whose wanted name is another's: with the datasource's id."""
    return fitting(f"{name[:40]}_{datasource_id.hex[:_HASH_DIGITS]}")


def column_names(keys: Iterable[str]) -> list[str]:
    """Return the columns `ts`, `device` and one per key, in the keys' order.

    A key keeps its name; one that is taken already gets a number.
    """
    names = ["ts", "device"]
    taken = set(names)
    for key in keys:
        name, number = fitting(key), 1
        while name in taken:
            number += 1
            name = fitting(f"{key[:50]}_{number}")
        taken.add(name)
        names.append(name)
    return names


def role_name(tenant_id: str, environment: str) -> str:
    """Return the group role that reads an organisation's views."""
    return f"twinfeed_{tenant_id}" + ("" if environment == "live" else f"_{environment}")
