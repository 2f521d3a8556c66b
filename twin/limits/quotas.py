"""What a request costs and whether it may go on: per management key, application, datasource, address.

Plain functions of a principal and the clock, for every route in front of the framework and behind it.
"""

import ipaddress
import math
from functools import lru_cache
from typing import NoReturn

import msgspec

from twin.errors import RateLimited
from twin.keys.grants import ApplicationGrant, IngestGrant
from twin.limits.counters import FASTEST, Counters, Window, beside, subject_of
from twin.principal import Principal

HOUR_S, DAY_S, MINUTE_S = 3600, 86_400, 60
MAX_PACES = 10_000
"""Datasources with limits whose places in the counters, and whose credits, are remembered."""
AHEAD_S = 0.02
"""A worker buys this much of a pace at once and hands it out by itself, so that not every reading takes
the lock of a counter: by so much a limit may be passed for each worker."""
_V6_NETWORK = 64
"""An IPv6 client has at least a /64 of addresses: they count as one."""


class Quota(msgspec.Struct, frozen=True):
    """How much of a key's limit is left in this clock hour; `reset_s`: its end, Unix seconds."""

    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> list[tuple[str, str]]:
        """Return what every answer to the key carries."""
        return [
            ("x-ratelimit-limit", str(self.limit)),
            ("x-ratelimit-remaining", str(self.remaining)),
            ("x-ratelimit-reset", str(self.reset_s)),
        ]


class _Credit(msgspec.Struct):
    """What a worker has bought of a datasource's paces and not handed out yet; inf: no such limit."""

    readings_per_second: float | None
    bytes_per_second: float | None
    readings: float = 0.0
    size: float = 0.0


class Limits:
    """Counts requests against limits. Raises RateLimited; nothing refused is counted."""

    def __init__(self, counters: Counters, *, max_failed_auth: int) -> None:
        """Count in `counters`; `max_failed_auth`: per address and clock minute."""
        self._counters = counters
        self._max_failed_auth = max_failed_auth
        self._credits: dict[int, _Credit] = {}

    def charge(
        self, principal: Principal, application: ApplicationGrant | None, now_us: int
    ) -> None:
        """Count a request against its key's and its application's limits. Raises RateLimited."""
        taken: list[tuple[int, Window]] = []
        for what, subject, limit, length_s in _limits(principal, application):
            window = Window.at(now_us, length_s)
            if not self._counters.take(subject, limit, window)[0]:
                for other, its_window in taken:
                    self._counters.give_back(other, its_window)
                _refuse(what, limit, length_s, window, now_us)
            taken.append((subject, window))

    def refund(
        self, principal: Principal, application: ApplicationGrant | None, charged_us: int
    ) -> None:
        """Take back what a request was charged at that time: it turned out to cost nothing."""
        for _, subject, _, length_s in _limits(principal, application):
            self._counters.give_back(subject, Window.at(charged_us, length_s))

    def quota(self, principal: Principal, now_us: int) -> Quota | None:
        """Return what is left to a key; None: it has no limit."""
        limit = principal.rate_limit
        if limit is None:
            return None
        window = Window.at(now_us, HOUR_S)
        used = self._counters.count(subject_of("key", principal.key_id), window)
        return Quota(limit, max(0, limit - used), window.ends_at)

    def check_address(self, address: str, now_us: int) -> None:
        """Raise RateLimited for an address from which too many invalid keys came this minute."""
        window, most = Window.at(now_us, MINUTE_S), self._max_failed_auth
        if self._counters.count(subject_of("address", network_of(address)), window) >= most:
            _refuse("invalid keys from this address", most, MINUTE_S, window, now_us)

    def note_failure(self, address: str, now_us: int) -> None:
        """Count an invalid key that came from an address."""
        window = Window.at(now_us, MINUTE_S)
        self._counters.take(subject_of("address", network_of(address)), 2**62, window)

    def check_pace(self, grant: IngestGrant, now_us: int) -> None:
        """Raise RateLimited for a datasource that is ahead of its readings or bytes per second."""
        for what, subject, per_second in _paces(grant):
            wait_us = self._counters.ahead_us(subject, now_us)
            if wait_us > 0:
                message = f"The datasource may send {per_second:g} {what} per second: wait."
                raise RateLimited(message, retry_after_s=-(-wait_us // 1_000_000))

    def pay(self, grant: IngestGrant, now_us: int, *, readings: int, size: int) -> bool:
        """Put a whole request on a datasource's account in one step, unless it must wait."""
        credit = self._credit(grant)
        if credit.readings >= readings and credit.size >= size:
            credit.readings -= readings
            credit.size -= size
            return True
        costs = []
        ahead = {"readings": math.inf, "bytes": math.inf}
        for what, subject, per_second in _paces(grant):
            amount, left = (
                (readings, credit.readings) if what == "readings" else (size, credit.size)
            )
            ahead[what] = float(int(min(per_second, FASTEST) * AHEAD_S))
            costs.append((subject, per_second, round(amount + ahead[what] - left)))
        if not self._counters.pay(costs, now_us):
            return False
        credit.readings, credit.size = ahead["readings"], ahead["bytes"]
        return True

    def _credit(self, grant: IngestGrant) -> _Credit:
        found = self._credits.get(grant.datasource_no)
        if (
            found is None
            or found.readings_per_second != grant.readings_per_second
            or found.bytes_per_second != grant.bytes_per_second
        ):
            if len(self._credits) >= MAX_PACES:
                self._credits.clear()
            found = _Credit(grant.readings_per_second, grant.bytes_per_second)
            self._credits[grant.datasource_no] = found
        return found

    def spend(self, grant: IngestGrant, now_us: int, *, readings: int = 0, size: int = 0) -> None:
        """Put readings and bytes that came in on a datasource's account."""
        for what, subject, per_second in _paces(grant):
            amount = readings if what == "readings" else size
            if amount:
                self._counters.spend(subject, per_second, amount, now_us)


def _limits(
    principal: Principal, application: ApplicationGrant | None
) -> list[tuple[str, int, int, int]]:
    """Return (what, subject, limit, window's seconds) of each limit that a request counts against."""
    found = []
    if principal.rate_limit is not None:
        subject = subject_of("key", principal.key_id)
        found.append(("requests of this key", subject, principal.rate_limit, HOUR_S))
    if application is not None:
        for limit, length_s in ((application.per_minute, MINUTE_S), (application.per_day, DAY_S)):
            if limit is not None:
                subject = subject_of(f"application {length_s}", application.application_id)
                found.append(("requests of this application", subject, limit, length_s))
    return found


@lru_cache(MAX_PACES)
def _paces(grant: IngestGrant) -> list[tuple[str, int, float]]:
    """Return (what, subject, per second) of each limit of a datasource, the subjects in one group."""
    subject = subject_of("datasource", grant.datasource_no)
    paces = (
        ("readings", subject, grant.readings_per_second),
        ("bytes", beside(subject), grant.bytes_per_second),
    )
    return [
        (what, subject, per_second) for what, subject, per_second in paces if per_second is not None
    ]


def _refuse(what: str, limit: int, length_s: int, window: Window, now_us: int) -> NoReturn:
    unit = {MINUTE_S: "minute", HOUR_S: "hour", DAY_S: "day"}[length_s]
    wait_s = max(1, window.ends_at - now_us // 1_000_000)
    raise RateLimited(
        f"The limit of {limit} {what} per {unit} is reached: try again in {wait_s} s.",
        retry_after_s=wait_s,
    )


def network_of(address: str) -> str:
    """Return what an address is counted as: itself, or its IPv6 network."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, _V6_NETWORK), strict=False))
