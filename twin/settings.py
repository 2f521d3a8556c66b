"""Settings: environment variables TWINFEED_*, each with a default and a description.

`twinfeed serve --help` and the README list them from here; a test compares.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from twin.errors import StartupError

PREFIX = "TWINFEED_"


def default_data_dir() -> str:
    """Return where data goes when nobody says: /var/lib for root, the XDG data home else."""
    if os.geteuid() == 0:
        return "/var/lib/twinfeed"
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return str(Path(home) / "twinfeed")


def _doc(text: str, **bounds: Any) -> Meta:
    return Meta(description=text, **bounds)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of a server, validated. Sizes in bytes, times in the unit of the name's end."""

    host: Annotated[str, _doc("address to listen on")] = "127.0.0.1"
    port: Annotated[int, _doc("port to listen on", ge=1, le=65535)] = 8000
    workers: Annotated[int, _doc("worker processes", ge=1, le=64)] = 1
    writers: Annotated[int, _doc("writer connections per worker", ge=1, le=16)] = 2
    data_dir: Annotated[
        str,
        _doc(
            "directory of the embedded database; unset: /var/lib/twinfeed for root, else "
            "twinfeed in the XDG data home"
        ),
    ] = msgspec.field(default_factory=default_data_dir)
    database_url: Annotated[
        str | None, _doc("PostgreSQL or TimescaleDB URL; unset: embedded database")
    ] = None
    admin_key: Annotated[
        str | None,
        _doc("admin key of the first organisation (tf_live_ + 64 hex); unset: one is generated"),
    ] = None
    public_url: Annotated[
        str | None, _doc("base of the URLs given to clients; unset: as the request came in")
    ] = None
    secret_key: Annotated[
        str | None,
        _doc(
            "keys under which webhooks' secrets are stored, newest first, with commas between; "
            "unset: one is made"
        ),
    ] = None
    tls_cert: Annotated[
        str | None, _doc("certificate chain, a PEM file; with the key: serve HTTPS")
    ] = None
    tls_key: Annotated[str | None, _doc("private key of the certificate, a PEM file")] = None
    trusted_proxies: Annotated[
        str,
        _doc("addresses and networks, with commas between, whose X-Forwarded-For names the client"),
    ] = ""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], _doc("debug, info, warning or error")
    ] = "info"
    pool_size: Annotated[int, _doc("reading connections per worker", ge=1, le=100)] = 8

    max_body_bytes: Annotated[int, _doc("largest request body as sent", ge=1024)] = 16 * 2**20
    max_decompressed_bytes: Annotated[int, _doc("largest body after decompression", ge=1024)] = (
        64 * 2**20
    )
    max_held_bytes: Annotated[
        int, _doc("most bytes of request bodies held at once, per worker; above: 503", ge=1024)
    ] = 256 * 2**20
    max_connections: Annotated[
        int, _doc("most open connections per worker; others wait to be accepted", ge=1)
    ] = 10_000
    max_readings: Annotated[int, _doc("most readings in a request", ge=1)] = 100_000
    max_stream_bytes: Annotated[
        int, _doc("largest body of NDJSON, CSV or Arrow, after decompression", ge=1024)
    ] = 2**30
    max_stream_readings: Annotated[
        int, _doc("most readings in a body of NDJSON, CSV, xlsx, Arrow or Parquet", ge=1)
    ] = 10_000_000
    max_buffer_rows: Annotated[
        int, _doc("most rows that wait for a writer, per worker; above: 503", ge=1)
    ] = 200_000
    max_buffer_bytes: Annotated[
        int, _doc("most bytes of rows that wait for a writer, per worker; above: 503", ge=4096)
    ] = 64 * 2**20
    max_batch_rows: Annotated[int, _doc("most rows in a writer's transaction", ge=1)] = 40_000
    max_keys: Annotated[int, _doc("most data keys of a datasource", ge=1, le=1024)] = 256
    max_devices: Annotated[int, _doc("most devices of a datasource", ge=1)] = 100_000
    max_labels: Annotated[int, _doc("most distinct texts of a datasource", ge=1)] = 10_000
    max_key_length: Annotated[int, _doc("longest data key, characters", ge=1)] = 200
    max_device_length: Annotated[int, _doc("longest device name, characters", ge=1)] = 200
    max_label_length: Annotated[int, _doc("longest text value, characters", ge=1)] = 200
    max_partitions: Annotated[
        int, _doc("most time partitions on a database without TimescaleDB", ge=100)
    ] = 5000
    max_points: Annotated[int, _doc("most points in a widget answer", ge=1)] = 5000
    max_raw_rows: Annotated[
        int, _doc("most readings a median, percentile, delta or rate reads one by one", ge=1)
    ] = 2_000_000
    max_widgets: Annotated[int, _doc("most widgets of an organisation", ge=1)] = 10_000
    max_datasources: Annotated[int, _doc("most datasources of an organisation", ge=1)] = 10_000
    max_ingest_keys: Annotated[int, _doc("most ingest keys of a datasource", ge=1)] = 100
    max_rules: Annotated[int, _doc("most alert rules of an organisation", ge=1)] = 20_000
    max_webhooks: Annotated[int, _doc("most webhooks of an organisation", ge=1)] = 1000
    max_management_keys: Annotated[int, _doc("most management keys of an organisation", ge=1)] = (
        10_000
    )
    max_applications: Annotated[int, _doc("most applications of an organisation", ge=1)] = 1000
    max_organisations: Annotated[int, _doc("most organisations of a server", ge=1)] = 10_000
    max_failed_auth: Annotated[
        int,
        _doc("most requests with an invalid key per address and clock minute; above: 429", ge=1),
    ] = 3000
    max_stream_subscribers: Annotated[
        int, _doc("most open event streams per worker; above: 503", ge=1)
    ] = 1000
    max_stream_widgets: Annotated[int, _doc("most widgets of an event stream", ge=1, le=1000)] = 100
    max_exports: Annotated[int, _doc("exports at once, per worker; above: 503", ge=1)] = 2
    max_assets: Annotated[int, _doc("most 3D models of an organisation", ge=1)] = 1000
    max_asset_bytes: Annotated[int, _doc("largest 3D model", ge=1024)] = 64 * 2**20
    max_scenes: Annotated[int, _doc("most scenes of an organisation", ge=1)] = 1000
    max_scene_nodes: Annotated[int, _doc("most nodes of a scene", ge=1, le=100_000)] = 2000
    max_archive_bytes: Annotated[
        int, _doc("largest archive of a scene with its models", ge=1024)
    ] = 256 * 2**20
    query_timeout_ms: Annotated[int, _doc("longest widget query", ge=10)] = 20_000
    rollup_interval_s: Annotated[float, _doc("pause between rollup refreshes", gt=0)] = 60.0
    retention_interval_s: Annotated[float, _doc("pause between retention runs", gt=0)] = 3600.0
    webhook_allow_private: Annotated[
        bool, _doc("let webhooks call private and loopback addresses")
    ] = False
    webhook_timeout_s: Annotated[float, _doc("longest webhook call", gt=0)] = 10.0
    webhook_concurrency: Annotated[
        int, _doc("webhook calls at once, per worker", ge=1, le=1000)
    ] = 32
    smtp_url: Annotated[
        str | None,
        _doc("mail server: smtp://, smtp+starttls:// or smtps://user:password@host:port"),
    ] = None
    smtp_from: Annotated[str | None, _doc("sender of alerts by e-mail")] = None
    shutdown_timeout_s: Annotated[int, _doc("longest wait for open requests at a stop", ge=1)] = 30

    @classmethod
    def from_env(cls, environ: Mapping[str, str], **overrides: object) -> "Settings":
        """Build settings from TWINFEED_* and overrides (None = not given).

        Raises StartupError naming the variable that is unknown or invalid.
        """
        known = set(cls.__struct_fields__)
        values: dict[str, object] = {}
        for name, text in environ.items():
            field = name[len(PREFIX) :].lower()
            if name.startswith(PREFIX) and field in known and text != "":
                values[field] = _parse(cls, field, name, text)
        values.update({k: v for k, v in overrides.items() if v is not None})
        try:
            return msgspec.convert(values, cls)
        except msgspec.ValidationError as exc:
            raise StartupError(f"A setting is not valid: {exc}") from exc

    def to_env(self) -> dict[str, str]:
        """Return the settings as TWINFEED_* variables, for worker processes."""
        env = {}
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if value is not None:
                env[variable(field)] = (
                    ("true" if value else "false") if isinstance(value, bool) else str(value)
                )
        return env


def variable(field: str) -> str:
    """Return the environment variable of a settings field."""
    return PREFIX + field.upper()


def describe() -> list[tuple[str, str, str]]:
    """Return (variable, default, description) of every setting, in order."""
    hints = get_type_hints(Settings, include_extras=True)
    rows = []
    for info in msgspec.structs.fields(Settings):
        meta = next(m for m in get_args(hints[info.name]) if isinstance(m, Meta))
        default = "" if info.default in (None, msgspec.NODEFAULT) else str(info.default)
        if isinstance(info.default, bool):
            default = default.lower()
        rows.append((variable(info.name), default, meta.description or ""))
    return rows


def _parse(cls: type[Settings], field: str, name: str, text: str) -> object:
    hint = get_type_hints(cls, include_extras=True)[field]
    if get_origin(hint) is not Annotated:
        raise TypeError(field)
    try:
        return msgspec.convert(text, hint, strict=False)
    except msgspec.ValidationError as exc:
        raise StartupError(f"{name} is not valid: {exc}") from exc
