"""The main process: database first, then worker processes, and everything stopped in reverse.

Invariant: whatever ends this process ends the workers and the embedded PostgreSQL too; what a worker
acknowledged is committed before that.
"""

import signal
import ssl
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click
import psycopg
import structlog
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer
from psycopg.conninfo import conninfo_to_dict

from twin import logs, runtime
from twin.addresses import TrustedProxies
from twin.db.capabilities import Capabilities
from twin.db.embedded import EmbeddedServer, running_url
from twin.db.migrate import migrate
from twin.errors import StartupError
from twin.front.door import BACKLOG, Door, FrontPlan
from twin.keys.bootstrap import bootstrap
from twin.settings import Settings
from twin.vault import Vault, seal_anew, secret_keys
from twin.versions import Versions

log = structlog.get_logger("twin.serve")


@contextmanager
def database(settings: Settings, *, own: bool = False) -> Iterator[str]:
    """Give the URL of the database, starting the embedded one where none is configured.

    `own`: start it or fail; else use the one that another process runs on the same directory.
    """
    if settings.database_url:
        try:
            conninfo_to_dict(settings.database_url)
        except psycopg.ProgrammingError:  # its text would show the password
            raise StartupError("TWINFEED_DATABASE_URL is not a PostgreSQL URL.") from None
        yield settings.database_url
        return
    directory = Path(settings.data_dir)
    running = None if own else running_url(directory)
    if running:
        yield running
        return
    with EmbeddedServer.start(directory) as server:
        yield server.url


def prepare_database(settings: Settings, url: str) -> Capabilities:
    """Migrate, and on an empty database make the first organisation and show its key once."""
    capabilities = migrate(url)
    made = bootstrap(url, settings.admin_key)
    if made is not None and settings.admin_key is None:
        click.echo(f"Admin key (shown once): {made.api_key}")
    return capabilities


def prepare_secrets(settings: Settings, url: str) -> list[str]:
    """Return the keys of stored secrets, once all of them are sealed under the first."""
    keys = secret_keys(settings, url)
    seal_anew(url, Vault(keys))
    return keys


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises StartupError, EmbeddedServerError."""
    with ready(settings) as server:
        scheme = "https" if settings.tls_cert else "http"
        click.echo(f"Twinfeed listens on {scheme}://{settings.host}:{settings.port}")
        server.serve()


@contextmanager
def ready(settings: Settings) -> Iterator[MPServer]:
    """Start the database and give the server on it, whose `serve()` blocks until a signal."""
    logs.configure(settings.log_level)
    door = _bind(settings)
    _check_tls(settings)
    TrustedProxies(settings.trusted_proxies)  # or raises
    signal.signal(signal.SIGTERM, _stop_start)  # until the server sets its own handler
    with (
        database(settings, own=True) as url,
        runtime.prepared(
            settings, url, prepare_database(settings, url), prepare_secrets(settings, url), door
        ) as plan,
        closing(Versions(runtime.from_environment().versions_path)) as versions,
    ):
        runtime.fork_with_default_signals()
        yield http_server(settings, versions, door, plan)


def _bind(settings: Settings) -> Door | None:
    """Bind the address, or raise StartupError, before anything is started; None: with TLS.

    The front speaks no TLS: the server behind it then listens itself.
    """
    try:
        door = Door(settings.host, settings.port)
    except OSError as exc:
        reason = exc.strerror or exc
        message = f"Cannot listen on {settings.host}, port {settings.port}: {reason}."
        raise StartupError(message) from exc
    if settings.tls_cert or settings.tls_key:
        door.close()
        return None
    return door


def _check_tls(settings: Settings) -> None:
    """Raise StartupError for a certificate and key that cannot be served with."""
    if not settings.tls_cert and not settings.tls_key:
        return
    if not (settings.tls_cert and settings.tls_key):
        raise StartupError("TLS needs both TWINFEED_TLS_CERT and TWINFEED_TLS_KEY.")
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Without an answer to give, a key with a passphrase would ask for it on the terminal.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=str)
    except (OSError, ValueError) as exc:  # an SSLError is an OSError
        raise StartupError(
            f"TWINFEED_TLS_CERT and TWINFEED_TLS_KEY cannot be used: {exc}."
        ) from exc


def _stop_start(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


class _Server(MPServer):
    """The server behind the fronts.

    At a stop the door closes first, and workers are told before their last answers are awaited.
    """

    def __init__(self, versions: Versions, door: Door | None, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._versions = versions
        self._door = door

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        if self._door is not None:
            self._door.close()
        self._versions.stop()
        super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]


def http_server(
    settings: Settings, versions: Versions, door: Door | None, plan: FrontPlan | None
) -> MPServer:
    """Return the server of worker processes; `versions` are those that its workers map."""
    return _Server(
        versions,
        door,
        "twin.app:application",
        factory=True,
        address=settings.host,
        port=settings.port,
        uds=Path(plan.behind_path) if plan else None,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,  # of a body cut in HTTP/2 nothing tells that it was (`body_chunks`)
        workers=settings.workers,
        backlog=BACKLOG,
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=logs.http_server_config(),
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=settings.shutdown_timeout_s,
        process_name=None,
        ssl_cert=Path(settings.tls_cert) if settings.tls_cert else None,
        ssl_key=Path(settings.tls_key) if settings.tls_key else None,
    )
