"""InfluxDB's three write endpoints: v1 `/write`, v2 `/api/v2/write`, v3 `/api/v3/write_lp`.

Malformed lines: v1 keeps the good ones and answers 400; v2 keeps nothing and names the first; v3
keeps the good ones unless accept_partial=false, and lists all. Lines that are in order but do not fit
the datasource (another kind, out of range) never cost the others; with v3's accept_partial=false they
do.
"""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from ingest.block import Block
from ingest.foreign import influx_line
from ingest.foreign.influx_auth import VERSION_HEADERS, influx_secret
from ingest.foreign.influx_fast import FastLines
from ingest.foreign.influx_line import Lines, Units
from ingest.foreign.influx_mixed import mixed_block
from ingest.foreign.influx_scattered import ScatteredLines
from ingest.foreign.protocol import Endpoint, Intake, Request
from ingest.readings import Context, Reading
from twin.errors import ItemError, TwinfeedError, Unauthorized, Unreadable
from twin.rsgi import Answer, Headers
from twin.schema import DatasourceSchema

V1_PATH, V2_PATH, V3_PATH = "/write", "/api/v2/write", "/api/v3/write_lp"
JSON = ("content-type", "application/json")
MAX_LISTED = 100
_MAX_DATASOURCES = 1000
"""Past so many the forms of all are found anew."""
_SHORT = {"ns": 1, "us": 1000, "ms": 10**6, "s": 10**9}
V1_UNITS = {"": 1, **_SHORT, "n": 1, "u": 1000, "µ": 1000, "m": 60 * 10**9, "h": 3600 * 10**9}
V2_UNITS = {"": 1, **_SHORT}
V3_UNITS = {
    **{"": None, "auto": None, "n": 1, "u": 1000, **_SHORT},
    **{"nanosecond": 1, "microsecond": 1000, "millisecond": 10**6, "second": 10**9},
}
_V2_CODES = {
    **{400: "invalid", 401: "unauthorized", 403: "forbidden", 404: "not found"},
    **{405: "method not allowed", 413: "request too large", 415: "invalid"},
    **{422: "unprocessable entity", 429: "too many requests", 503: "unavailable"},
}
_ACCEPT = {"": True, "true": True, "false": False}


class MalformedLines(TwinfeedError):
    """A line is not line protocol."""

    status = 400
    code = "BAD_REQUEST"


class LineCodecs:
    """Line protocol → a block where it is of one known form, else readings."""

    def __init__(self) -> None:
        """Know no schema yet."""
        self._fast: dict[int, tuple[FastLines, ScatteredLines]] = {}

    def read(
        self, body: bytes, schema: DatasourceSchema, units: Units, intake: Intake
    ) -> Block | Lines:
        """Return what a body holds. Raises TooLarge."""
        settings = intake.settings
        codecs = self._fast.get(schema.no)
        if codecs is None or not codecs[0].serves(schema):
            if len(self._fast) >= _MAX_DATASOURCES:
                self._fast.clear()
            longest = settings.max_device_length
            codecs = FastLines(schema, longest), ScatteredLines(schema, longest)
            self._fast[schema.no] = codecs
        fast, scattered = codecs
        most = settings.max_readings
        block = fast.block(body, units, most)
        if block is None and not scattered.took_last:  # who sends such lines sends more of them
            block = mixed_block(fast, body, units, most)
        if block is None:
            block = scattered.block(body, units, most)
        if block is not None:
            return block
        return influx_line.parse(body, units, most, settings.max_device_length)


class _Write(Endpoint):
    """What the three have in common."""

    ingests = True
    units: ClassVar[Mapping[str, int | None]]
    keeps_good: ClassVar[bool]

    def __init__(self, codecs: LineCodecs) -> None:
        self._codecs = codecs

    def secret(self, request: Request) -> bytes:
        return influx_secret(request)

    async def take(
        self, request: Request, intake: Intake | None, *, strict: bool
    ) -> tuple[int, list[ItemError], list[ItemError]]:
        """Return how many lines were accepted, the malformed ones and those that do not fit."""
        assert intake is not None
        precision = request.params.get("precision", "")
        if precision not in self.units:
            choices = ", ".join(name for name in self.units if name)
            raise Unreadable(f'invalid precision "{precision[:40]}" (use {choices})')
        malformed: list[ItemError] = []

        def parse(schema: DatasourceSchema, context: Context) -> Block | list[Reading]:
            units = Units(context.received_us, self.units[precision])
            found = self._codecs.read(request.body, schema, units, intake)
            if isinstance(found, Block):
                return found
            malformed[:] = found.malformed
            if malformed and (strict or not self.keeps_good):
                first = malformed[0]
                message = f"{first.message} (line {first.index})"
                raise MalformedLines(message, errors=malformed)
            return found.readings

        outcome = await intake.take(parse, strict=strict)
        return outcome.accepted, malformed, outcome.errors


class WriteV1(_Write):
    """POST /write?db=&precision=, of InfluxDB 1.x and Telegraf, collectd, …."""

    units = V1_UNITS
    keeps_good = True

    async def answer(self, request: Request, intake: Intake | None) -> Answer:
        """Answer 204, or 400 with what is wrong; the good lines are kept."""
        accepted, malformed, unfit = await self.take(request, intake, strict=False)
        if not malformed and not unfit:
            return 204, [*VERSION_HEADERS], b""
        dropped = len(malformed) + len({error.index for error in unfit})
        reasons = "\n".join(_told(error) for error in (malformed + unfit)[:MAX_LISTED])
        if not unfit and not accepted:
            raise Unreadable(reasons)
        raise Unreadable(f"partial write: {reasons} dropped={dropped}")

    def refuse(self, request: Request, error: TwinfeedError) -> Answer:
        """Return {"error": …}."""
        headers: Headers = [JSON, *VERSION_HEADERS, ("x-influxdb-error", _header(error.message))]
        message = error.message
        if isinstance(error, Unauthorized):
            headers.append(("www-authenticate", 'Basic realm="InfluxDB"'))
            message = f"authorization failed: {message}"
        return error.status, headers, msgspec.json.encode({"error": message})


class WriteV2(_Write):
    """POST /api/v2/write?org=&bucket=&precision=, of InfluxDB 2.x and its clients."""

    units = V2_UNITS
    keeps_good = False

    async def answer(self, request: Request, intake: Intake | None) -> Answer:
        """Answer 204; 400 for a malformed line, nothing kept; 422 when some do not fit."""
        _, _, unfit = await self.take(request, intake, strict=False)
        if not unfit:
            return 204, [*VERSION_HEADERS], b""
        dropped = len({error.index for error in unfit})
        reasons = "; ".join(_told(error) for error in unfit[:MAX_LISTED])
        message = f"failure writing points to database: partial write: {reasons} dropped={dropped}"
        raise _Unfit(message, errors=unfit)

    def refuse(self, request: Request, error: TwinfeedError) -> Answer:
        """Return {"code", "message"}, and the first bad line's number where there is one."""
        code = _V2_CODES.get(error.status, "internal error")
        body: dict[str, object] = {"code": code, "message": error.message}
        if error.errors and error.errors[0].index is not None:
            body["line"] = error.errors[0].index
        headers: Headers = [JSON, *VERSION_HEADERS, ("x-platform-error-code", code)]
        return error.status, headers, msgspec.json.encode(body)


class WriteV3(_Write):
    """POST /api/v3/write_lp?db=&precision=&accept_partial=&no_sync=, of InfluxDB 3.

    `no_sync` asks for an answer before the data is safe; ours always comes after.
    """

    units = V3_UNITS
    keeps_good = True

    async def answer(self, request: Request, intake: Intake | None) -> Answer:
        """Answer 204, or 400 with every bad line; the good ones are kept with accept_partial."""
        partial = _ACCEPT.get(request.params.get("accept_partial", "").lower())
        if partial is None:
            raise Unreadable("accept_partial must be true or false")
        _, malformed, unfit = await self.take(request, intake, strict=not partial)
        if not malformed and not unfit:
            return 204, [*VERSION_HEADERS], b""
        errors = sorted(malformed + unfit, key=lambda error: error.index or 0)
        message = "partial write of line protocol occurred" if partial else _V3_REFUSED
        raise MalformedLines(message, errors=errors)

    def refuse(self, request: Request, error: TwinfeedError) -> Answer:
        """Return {"error", "data"}; data: a bad line each, or the one that made all be refused."""
        body: dict[str, object] = {"error": error.message}
        if isinstance(error, MalformedLines):
            lines = request.body.split(b"\n")
            data = [_bad_line(each, lines) for each in error.errors[:MAX_LISTED]]
            is_partial = request.params.get("accept_partial", "").lower() != "false"
            body = {"error": error.message if is_partial else _V3_REFUSED}
            body["data"] = data if is_partial else data[0]
        return error.status, [JSON, *VERSION_HEADERS], msgspec.json.encode(body)


class _Unfit(TwinfeedError):
    """Lines do not fit the datasource."""

    status = 422


_V3_REFUSED = "parsing failed for write_lp endpoint"


def endpoints() -> dict[str, Endpoint]:
    """Return the endpoints of this module by path."""
    codecs = LineCodecs()
    return {
        V1_PATH: WriteV1(codecs),
        V2_PATH: WriteV2(codecs),
        V3_PATH: WriteV3(codecs),
    }


def _told(error: ItemError) -> str:
    if error.key is not None:
        return f'field "{error.key}" {error.message} (line {error.index})'
    place = f" (line {error.index})"
    return error.message if error.message.endswith(place) else error.message + place


def _bad_line(error: ItemError, lines: list[bytes]) -> dict[str, object]:
    number = error.index or 1
    message = error.message if error.key is None else f'field "{error.key}" {error.message}'
    line = lines[number - 1][:1000] if number <= len(lines) else b""
    return {
        "error_message": message,
        "line_number": number,
        "original_line": line.decode(errors="replace"),
    }


def _header(message: str) -> str:
    """Return a message as a header may carry it."""
    return "".join(c if " " <= c <= "~" else "?" for c in message[:500])
