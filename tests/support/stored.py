"""What a datasource holds, read from the database behind the server's back."""

from typing import Any

import psycopg

from support.server import Datasource
from twin.clock import to_us
from twin.db.pool import conninfo

Stored = dict[tuple[str, int], dict[str, Any]]


def stored(datasource: Datasource) -> Stored:
    """Return {(device, µs since 1970): {key: value}} of a datasource, labels and booleans resolved."""
    assert datasource.server.database_url is not None
    with psycopg.connect(conninfo(datasource.server.database_url)) as conn:
        (no,) = conn.execute(
            "SELECT datasource_no FROM datasources WHERE id = %s", [datasource.id]
        ).fetchone() or (None,)
        labels = dict(
            conn.execute("SELECT code, label FROM labels WHERE datasource_no = %s", [no]).fetchall()
        )
        keys = {
            slot: (key, kind)
            for key, slot, kind in conn.execute(
                "SELECT key, slot, kind FROM data_keys WHERE datasource_no = %s", [no]
            )
        }
        rows = conn.execute(
            "SELECT s.device, s.page, r.* FROM readings r JOIN streams s USING (stream_id)"
            " WHERE s.datasource_no = %s ORDER BY s.page",
            [no],
        ).fetchall()
    found: Stored = {}
    for device, page, _stream, ts, *columns in rows:
        place = (device, to_us(ts))
        assert page == 0 or place in found, "a later page without its reading"
        reading = found.setdefault(place, {})
        for column, value in enumerate(columns):
            if value is not None:
                key, kind = keys[page * 16 + column]
                resolve = {"boolean": bool, "text": lambda v: labels[int(v)]}.get(kind, float)
                reading[key] = resolve(value)
    return found


def learned(datasource: Datasource) -> tuple[list[str], list[str], int]:
    """Return keys, devices and the number of readings, as the API tells them."""
    detail = datasource.detail()
    keys = [item["key"] for item in detail["data_keys"]]
    return keys, [item["device"] for item in detail["devices"]], detail["readings_total"]


NOTHING: tuple[list[str], list[str], int] = ([], [], 0)
