"""Threads that load what batches must not wait for, one for each datasource at a time."""

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger("alerts.loader")


class Loader:
    """Runs `load(datasource)` in a thread."""

    def __init__(self, load: Callable[[int], None]) -> None:
        """Take what loads; what it raises is logged, and the next batch begins anew."""
        self._load = load
        self._turn = threading.Lock()
        self._loading: set[int] = set()
        self._guard = threading.Lock()

    def begin(self, no: int) -> None:
        """Load a datasource, unless that is under way."""
        with self._guard:
            if no in self._loading:
                return
            self._loading.add(no)
        threading.Thread(
            target=self._run, args=[no], name=f"alert states {no}", daemon=True
        ).start()

    def _run(self, no: int) -> None:
        try:
            with self._turn:  # one after the other: each takes memory
                self._load(no)
        except Exception:
            log.exception("alert states", datasource_no=no)
        finally:
            with self._guard:
                self._loading.discard(no)
