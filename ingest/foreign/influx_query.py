"""InfluxDB's /ping and /query, as far as a client that only writes needs them."""

import re
from urllib.parse import parse_qsl

import msgspec

from ingest.foreign.influx_auth import VERSION_HEADERS, influx_secret
from ingest.foreign.protocol import Endpoint, Intake, Request
from twin.errors import TwinfeedError, Unauthorized, Unreadable
from twin.rsgi import Answer, Headers

PING_PATH, QUERY_PATH = "/ping", "/query"
_JSON = ("content-type", "application/json")
_CREATE = re.compile(r"\s*create\s+database\s+\S.*", re.IGNORECASE | re.DOTALL)
_SHOW = re.compile(r"\s*show\s+databases\s*", re.IGNORECASE)
_MAX_STATEMENTS = 100


class Ping(Endpoint):
    """GET|HEAD /ping: 204 and the version."""

    methods = ("GET", "HEAD")
    ingests = False
    needs_key = False

    async def answer(self, request: Request, intake: Intake | None) -> Answer:
        """Answer 204, or with `verbose` 200 and the version in a body."""
        if request.params.get("verbose", "false").lower() not in ("", "0", "false"):
            body = msgspec.json.encode({"version": VERSION_HEADERS[0][1]})
            return 200, [_JSON, *VERSION_HEADERS], body
        return 204, [*VERSION_HEADERS], b""

    def refuse(self, request: Request, error: TwinfeedError) -> Answer:
        """Return {"error": …}."""
        return _refuse(error)


class Query(Endpoint):
    """GET|POST /query: CREATE DATABASE does nothing, SHOW DATABASES names the datasource."""

    methods = ("GET", "POST")
    ingests = False

    def secret(self, request: Request) -> bytes:
        """Return the ingest key, or b''."""
        return influx_secret(request)

    async def answer(self, request: Request, intake: Intake | None) -> Answer:
        """Answer each statement; any other than the two is refused."""
        assert intake is not None
        form = dict(parse_qsl(request.body.decode(errors="replace")))
        statements = [s for s in (request.params.get("q") or form.get("q", "")).split(";") if s]
        if not any(s.strip() for s in statements):
            raise Unreadable('missing required parameter "q"')
        if len(statements) > _MAX_STATEMENTS:
            raise Unreadable(f"error parsing query: more than {_MAX_STATEMENTS} statements")
        results: list[dict[str, object]] = []
        for number, statement in enumerate(statements):
            result: dict[str, object] = {"statement_id": number}
            if _SHOW.fullmatch(statement):
                values = [[await intake.datasource_name()]]
                result["series"] = [{"name": "databases", "columns": ["name"], "values": values}]
            elif not _CREATE.fullmatch(statement):
                raise Unreadable(
                    "error parsing query: only CREATE DATABASE and SHOW DATABASES are known here"
                )
            results.append(result)
        return 200, [_JSON, *VERSION_HEADERS], msgspec.json.encode({"results": results})

    def refuse(self, request: Request, error: TwinfeedError) -> Answer:
        """Return {"error": …}."""
        return _refuse(error)


def endpoints() -> dict[str, Endpoint]:
    """Return the endpoints of this module by path."""
    return {PING_PATH: Ping(), QUERY_PATH: Query()}


def _refuse(error: TwinfeedError) -> Answer:
    headers: Headers = [_JSON, *VERSION_HEADERS]
    if isinstance(error, Unauthorized):
        headers.append(("www-authenticate", 'Basic realm="InfluxDB"'))
    return error.status, headers, msgspec.json.encode({"error": error.message})
