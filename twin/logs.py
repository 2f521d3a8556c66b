"""Logs: one JSON object a line on stderr, with every key and password redacted.

Everything a process has to say goes this way: our events, those of libraries, Python's warnings and
the errors that nobody caught.
"""

import logging
import re
import sys
import threading
from types import TracebackType
from typing import Any

import structlog

_REDACTIONS = (
    # Keys, by the prefixes of the contract.
    (re.compile(r"\b(tf_live_|tf_test_|tfi_|tfa_|tfv_|tfs_)[0-9A-Za-z_\-.]{6,}"), r"\1***"),
    # What follows the name of an authentication scheme: Basic holds a key in base64.
    (re.compile(r"\b((?:basic|bearer|token) +)[0-9A-Za-z+/=_\-.]{8,}", re.IGNORECASE), r"\1***"),
    # Passwords in URLs and in PostgreSQL's connection strings.
    (re.compile(r"(://[^:/@\s\"]*:)[^@\s/\"]+@"), r"\1***@"),
    (re.compile(r"\b(password=)[^\s\"]+"), r"\1***"),
)
_QUIET = ("httpx", "httpcore")
"""Both say one line per call at info."""

_log = structlog.get_logger("twin.uncaught")


def redact(text: str) -> str:
    """Return text with the secret part of keys, credentials and URLs replaced."""
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    return text


def configure(level: str) -> None:
    """Send structlog, the standard library's logging and uncaught errors to stderr as JSON."""
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [json_handler()]
    root.setLevel(level.upper())
    for noisy in _QUIET:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def json_handler() -> logging.Handler:
    """Return a handler that writes redacted JSON lines to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(default=str),
                _redact_line,
            ],
        )
    )
    return handler


def http_server_config() -> dict[str, Any]:
    """Return granian's logging configuration (dictConfig): its own lines as ours, no access log."""
    return {
        "formatters": {},
        "handlers": {"json": {"()": "twin.logs.json_handler"}},
        "loggers": {"_granian": {"handlers": ["json"], "propagate": False}},
    }


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _redact_line(_logger: Any, _method: str, line: Any) -> str:
    return redact(line)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    _log.critical("uncaught error", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        name = args.thread.name if args.thread else None
        _log.critical(
            "uncaught error",
            thread=name,
            exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
        )


def _unraisable(args: "sys.UnraisableHookArgs") -> None:
    _log.error(
        args.err_msg or "error where none can be raised",
        exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
    )
