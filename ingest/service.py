"""Ingest in one worker: parse, judge, learn, commit, answer.

Invariant: the answer 200 is given only after the readings' transaction has committed and the
datasource's version has moved.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from zoneinfo import ZoneInfo

import msgspec
import structlog

from ingest import answer, json_columns, json_shapes
from ingest.block import Block, Pending, Row, Waiter
from ingest.buffer import Buffer
from ingest.columns import Columns
from ingest.columns_judge import Judged, judge_any
from ingest.fast import FastCodec
from ingest.formats.media import Format
from ingest.formats.part import Request
from ingest.options import Options
from ingest.readings import Context, Reading
from ingest.stream import Stream
from ingest.writer import Collisions, Writer
from twin import metrics
from twin.batch import BatchHook
from twin.clock import now_us
from twin.db.errors import driver_errors
from twin.db.partitions import Partitions
from twin.errors import ItemError, NotFound, Overloaded, TwinfeedError, Unauthorized
from twin.ground import Ground
from twin.keys.grants import IngestGrant
from twin.notify import DATA_TOPIC, decode_numbers, encode_numbers
from twin.schema import DatasourceSchema, Wanted
from twin.tasks import end

NOTIFY_PAUSE_S = 0.4
"""Other hosts learn of new data this often: within a second, and never inside a transaction."""
MAX_LEARNING_ROUNDS = 6
"""Learning is settled in two rounds; more only while others change the same datasource."""
STOP_TIMEOUT_S = 30.0

log = structlog.get_logger("ingest")


class Outcome(msgspec.Struct):
    """How many readings of a request were accepted, how many not, and why not."""

    accepted: int
    rejected: int
    errors: list[ItemError]


class IngestService:
    """Takes readings in, with writer threads of its own."""

    def __init__(self, ground: Ground, hooks: Sequence[BatchHook]) -> None:
        """Prepare; `start` opens for business."""
        settings = ground.settings
        self._ground = ground
        self._hooks = hooks
        self._codecs: dict[int, FastCodec] = {}
        self._zones: dict[str, ZoneInfo] = {}
        self._changed: set[int] = set()
        self._paced: dict[int, IngestGrant] = {}
        """Datasources with a limit that sent something: their readings go on their account."""
        self._buffer = Buffer(
            settings.max_buffer_rows, settings.max_buffer_bytes, settings.max_batch_rows
        )
        self._writers: list[Writer] = []
        self._loop: asyncio.AbstractEventLoop
        self._teller: asyncio.Task[None] | None = None
        ground.notifier.subscribe(DATA_TOPIC, self._on_data)

    async def start(self) -> None:
        """Start the writers."""
        ground = self._ground
        self._loop = asyncio.get_running_loop()
        metrics.BUFFER_MAX_ROWS.set(self._buffer.max_rows)
        metrics.BUFFER_ROWS.set(0)
        partitions, collisions = Partitions(ground.settings.max_partitions), Collisions()
        for number in range(ground.settings.writers):
            writer = Writer(
                f"writer-{number}",
                ground.database_url,
                ground.capabilities,
                self._buffer,
                partitions,
                collisions,
                ground.schemas,
                self._hooks,
                self._answer,
            )
            writer.start()
            self._writers.append(writer)
        self._teller = asyncio.create_task(self._tell_others(), name="tell-others")

    async def stop(self) -> None:
        """Commit what was accepted, then stop."""
        self._buffer.close()
        for writer in self._writers:
            await asyncio.to_thread(writer.join, STOP_TIMEOUT_S)
            if writer.is_alive():
                log.error("a writer did not stop", writer=writer.name)
        if self._teller is not None:
            await end(self._teller)
            await self._tell()

    def check_pace(self, grant: IngestGrant) -> None:
        """Raise RateLimited for a datasource that is ahead of its limits; else its readings count."""
        self._ground.limits.check_pace(grant, now_us())
        self._paced[grant.datasource_no] = grant

    def count_bytes(self, grant: IngestGrant, size: int) -> None:
        """Put a body's bytes on the account of a datasource with a limit."""
        self._ground.limits.spend(grant, now_us(), size=size)

    async def counted(
        self, grant: IngestGrant, pieces: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Pass a streamed body on, its bytes put on the datasource's account as they come."""
        async for piece in pieces:
            self.count_bytes(grant, len(piece))
            yield piece

    async def ingest_json(
        self, grant: IngestGrant, body: bytes, options: Options
    ) -> tuple[int, bytes]:
        """Take a JSON body in; return status and answer. Raises TwinfeedError."""
        schema = await self._schema(grant)
        context = Context(now_us(), self._zone_of(schema, options), options.ns_per_unit)
        most = self._ground.settings.max_readings
        block = self._codec(schema).block(body, context, most)
        if block is not None:
            if not options.dry_run:
                await self._commit(block)
            return self._count(
                block.readings, 0, answer.render(block.readings, 0, [], dry_run=options.dry_run)
            )
        try:
            columns = json_columns.parse(body, context, most)
            readings = columns if columns is not None else json_shapes.parse(body, context, most)
        except TwinfeedError as exc:  # of the whole body
            exc.extra = {"accepted": 0, "rejected": 0, **exc.extra}
            raise
        return await self.ingest_readings(schema, readings, options)

    def take_quick(self, grant: IngestGrant, body: bytes, options: Options, done: Waiter) -> int:
        """Let a JSON body that is in order wait for its commit; return how many readings it holds.

        0: it is not for this way, or ahead of its limits. Raises Overloaded.
        """
        schema = self._ground.schemas.current(grant.datasource_no)
        if schema is None or options.dry_run:
            return 0
        context = Context(now_us(), self._zone_of(schema, options), options.ns_per_unit)
        codec = self._codec(schema)
        block: Block | Row | None = codec.row(body, context) if body[:1] == b"{" else None
        if block is None:
            block = codec.block(body, context, self._ground.settings.max_readings)
            if block is None:
                return 0
        readings = block.readings if isinstance(block, Block) else 1
        if not grant.is_paced:
            self._buffer.put(Pending(block, done))
            return readings
        now, limits = now_us(), self._ground.limits
        if not limits.pay(grant, now, readings=readings, size=len(body)):
            return 0  # the other way says for how long
        try:
            self._buffer.put(Pending(block, done))
        except Overloaded:
            limits.spend(grant, now, readings=-readings, size=-len(body))
            raise
        return readings

    async def take(
        self,
        grant: IngestGrant,
        parse: Callable[[DatasourceSchema, Context], Block | list[Reading]],
        *,
        strict: bool = False,
    ) -> Outcome:
        """Take in what `parse` makes of a request: rows that are in order, or readings to be judged.

        `strict`: all or nothing. Raises TwinfeedError, and what `parse` raises.
        """
        schema = await self._schema(grant)
        found = parse(schema, Context(now_us(), self._zone(schema.timezone)))
        if isinstance(found, Block):
            await self._commit(found)
            outcome = Outcome(found.readings, 0, [])
        else:
            judged, refused = await self._settle(schema, found, Options(strict=strict))
            accepted = 0 if refused else judged.accepted
            outcome = Outcome(accepted, len(found) - accepted, judged.errors)
        _ACCEPTED.inc(outcome.accepted)
        _REJECTED.inc(outcome.rejected)
        return outcome

    async def datasource_name(self, grant: IngestGrant) -> str:
        """Return the name of the datasource that a key belongs to."""
        return (await self._schema(grant)).name

    async def ingest_stream(
        self,
        grant: IngestGrant,
        format_: Format,
        charset: str,
        pieces: AsyncIterator[bytes],
        options: Options,
    ) -> tuple[int, bytes]:
        """Take a body of another format in, part by part; return status and answer.

        Raises TwinfeedError, with what was committed before.
        """
        schema = await self._schema(grant)
        settings = self._ground.settings
        context = Context(now_us(), self._zone_of(schema, options), options.ns_per_unit)
        request = Request(
            context,
            options,
            lambda key: known.kind if (known := schema.keys.get(key)) else None,
            settings.max_stream_bytes if format_.is_streamed else settings.max_decompressed_bytes,
            settings.max_stream_readings,
            charset,
        )
        stream = Stream(_Sink(self, grant), format_.parser(request), context, options)
        try:
            return await stream.run(pieces)
        finally:
            self._count(0 if options.dry_run else stream.accepted, stream.rejected, (0, b""))

    async def ingest_readings(
        self, schema: DatasourceSchema, readings: Columns | list[Reading], options: Options
    ) -> tuple[int, bytes]:
        """Judge readings, learn what is new, commit the accepted; return status and answer."""
        judged, refused = await self._settle(schema, readings, options)
        return self._render(judged, len(readings), options, refused)

    async def _settle(
        self, schema: DatasourceSchema, readings: Columns | list[Reading], options: Options
    ) -> tuple[Judged, bool]:
        """Judge, learn, commit; return the judgement, and whether all are refused for some."""
        settings = self._ground.settings
        for _ in range(MAX_LEARNING_ROUNDS):
            judged = judge_any(readings, schema, settings)
            refused = options.strict and judged.rejected > 0
            if refused or options.dry_run or not judged.accepted:
                return judged, refused
            if not judged.wanted:
                await self._commit(judged.block(schema))
                return judged, False
            await self._learn(schema, judged.wanted)
        raise Overloaded("The datasource is changing too quickly; try again.", retry_after_s=1)

    async def _learn(self, schema: DatasourceSchema, wanted: Wanted) -> None:
        try:
            await self._ground.schemas.learn(schema, wanted)
        except NotFound as exc:
            raise Unauthorized("The datasource was deleted.") from exc

    def _render(
        self, judged: Judged, total: int, options: Options, refused: bool
    ) -> tuple[int, bytes]:
        accepted = 0 if refused else judged.accepted
        rejected = total - accepted
        rendered = answer.render(
            accepted, rejected, judged.errors, dry_run=options.dry_run, strict=refused
        )
        return self._count(0 if options.dry_run else accepted, rejected, rendered)

    @staticmethod
    def _count(accepted: int, rejected: int, rendered: tuple[int, bytes]) -> tuple[int, bytes]:
        _ACCEPTED.inc(accepted)
        if rejected:
            _REJECTED.inc(rejected)
        return rendered

    async def _commit(self, block: Block) -> None:
        """Return once the block is committed. Raises TwinfeedError when it is not."""
        done = self._loop.create_future()
        self._buffer.put(Pending(block, done))
        metrics.BUFFER_ROWS.set(self._buffer.rows)
        await done
        paced = self._paced.get(block.datasource_no) if self._paced else None
        if paced is not None:
            self._ground.limits.spend(paced, now_us(), readings=block.readings)

    async def _schema(self, grant: IngestGrant) -> DatasourceSchema:
        schema = self._ground.schemas.current(grant.datasource_no)
        if schema is not None:
            return schema
        try:
            with driver_errors():
                return await self._ground.schemas.get_no(grant.datasource_no)
        except NotFound as exc:
            raise Unauthorized("The datasource was deleted.") from exc

    def _codec(self, schema: DatasourceSchema) -> FastCodec:
        codec = self._codecs.get(schema.no)
        if codec is None or not codec.serves(schema):
            codec = self._codecs[schema.no] = FastCodec(schema)
        return codec

    def _zone_of(self, schema: DatasourceSchema, options: Options) -> ZoneInfo:
        return options.zone or self._zone(schema.timezone)

    def _zone(self, name: str) -> ZoneInfo:
        zone = self._zones.get(name)
        if zone is None:
            zone = self._zones[name] = ZoneInfo(name)
        return zone

    def _answer(self, requests: list[Pending], error: TwinfeedError | None) -> None:
        """Called by writers: hand the outcome to the event loop."""
        self._loop.call_soon_threadsafe(self._finish, requests, error)

    def _finish(self, requests: list[Pending], error: TwinfeedError | None) -> None:
        metrics.BUFFER_ROWS.set(self._buffer.rows)
        if error is None:
            moved = {request.block.datasource_no for request in requests}
            for no in moved:  # before the answers: a read after a 2xx sees it on every worker
                self._ground.versions.bump("data", no)
            self._changed |= moved
        for request in requests:
            if request.done.done():
                continue
            if error is None:
                request.done.set_result(None)
            else:
                request.done.set_exception(error)

    async def _tell_others(self) -> None:
        while True:
            await asyncio.sleep(NOTIFY_PAUSE_S)
            await self._tell()

    async def _tell(self) -> None:
        if not self._changed:
            return
        changed, self._changed = self._changed, set()
        try:
            for payload in encode_numbers(self._ground.versions.host, sorted(changed)):
                with driver_errors():
                    await self._ground.notifier.send(DATA_TOPIC, payload)
        except TwinfeedError:
            self._changed |= changed  # the database is away: tell when it is back

    def _on_data(self, payload: str) -> None:
        host, numbers = decode_numbers(payload)
        if host != self._ground.versions.host:
            for no in numbers:
                self._ground.versions.bump("data", no)


class _Sink:
    """One datasource of the service, as a stream needs it."""

    def __init__(self, service: IngestService, grant: IngestGrant) -> None:
        self._grant = grant
        self._service = service
        self.settings = service._ground.settings
        self.codec = service._codec
        self.learn = service._learn
        self.commit = service._commit

    async def schema(self) -> DatasourceSchema:
        return await self._service._schema(self._grant)


_ACCEPTED = metrics.READINGS.labels("accepted")
_REJECTED = metrics.READINGS.labels("rejected")


def count_accepted(readings: int) -> None:
    """Count readings that were accepted."""
    _ACCEPTED.inc(readings)
