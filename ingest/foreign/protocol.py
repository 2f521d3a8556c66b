"""What every protocol of another system has in common: a request, an endpoint, what was taken in."""

from collections.abc import Callable

import msgspec

from ingest.block import Block
from ingest.body import decompress
from ingest.http import ingest_secret
from ingest.readings import Context, Reading
from ingest.service import IngestService, Outcome
from twin.errors import TwinfeedError
from twin.keys.grants import IngestGrant
from twin.rsgi import Answer
from twin.schema import DatasourceSchema
from twin.settings import Settings

MAX_MESSAGE_BYTES = 8 * 2**20
"""The largest protobuf message after decompression: one made to harm takes twenty times its size in
memory. Prometheus and the OpenTelemetry collector send a tenth of it in a request."""

Parse = Callable[[DatasourceSchema, Context], Block | list[Reading]]


class WrongMethod(TwinfeedError):
    """This method is not allowed here."""

    status = 405
    code = "METHOD_NOT_ALLOWED"


class Request(msgspec.Struct):
    """A request; `body` is empty until it has been read, and then without its Content-Encoding."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Intake:
    """Takes readings of one request in, for the datasource that its key belongs to."""

    def __init__(self, service: IngestService, settings: Settings, grant: IngestGrant) -> None:
        """Take in for `grant`."""
        self._service = service
        self._grant = grant
        self.settings = settings

    def count_bytes(self, size: int) -> None:
        """Put the body's bytes on the account of a datasource with a limit."""
        if self._grant.is_paced:
            self._service.count_bytes(self._grant, size)

    async def take(self, parse: Parse, *, strict: bool = False) -> Outcome:
        """Commit what `parse` makes of the request; `strict`: all or nothing. Raises TwinfeedError."""
        return await self._service.take(self._grant, parse, strict=strict)

    async def datasource_name(self) -> str:
        """Return the datasource's name."""
        return await self._service.datasource_name(self._grant)


class Endpoint:
    """One path of a protocol. What it raises, it also renders: `refuse` gets every error."""

    methods: tuple[str, ...] = ("POST",)
    ingests = True
    """Whether its requests count as ingest requests."""
    needs_key = True

    def secret(self, request: Request) -> bytes:
        """Return the ingest key as this protocol sends it, or b''."""
        return ingest_secret(request.headers)

    def decode(self, body: bytes, encoding: str, max_bytes: int) -> bytes:
        """Return a body without its Content-Encoding. Raises TwinfeedError."""
        return decompress(body, encoding, max_bytes)

    async def answer(self, request: Request, intake: Intake | None) -> Answer:
        """Answer a request; `intake` is given where a key is needed. Raises TwinfeedError."""
        raise NotImplementedError

    def refuse(self, request: Request, error: TwinfeedError) -> Answer:
        """Return an error as this protocol's clients expect it."""
        raise NotImplementedError
