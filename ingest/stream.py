"""A request that is parsed and committed part by part.

Invariant: parts are committed in order, one after the other, so that the later of two equal times wins;
`accepted` counts committed readings only. A part is parsed while the one before it is committed. What is
to be judged as a whole (strict, dry_run) is gathered first, and bounded like a JSON request.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from copy import copy
from typing import Protocol, TypeVar

from ingest import answer
from ingest.block import Block
from ingest.columns import Columns, joined
from ingest.columns_judge import Judged, judge_any
from ingest.fast import FastCodec
from ingest.formats.ndjson import readings
from ingest.formats.part import Lines, Parser, Part
from ingest.json_shapes import check_count
from ingest.options import Options
from ingest.readings import Context
from twin.errors import ItemError, Overloaded, TooLarge, TwinfeedError
from twin.schema import DatasourceSchema, Wanted
from twin.settings import Settings

THREAD_BYTES = 64 * 2**10
"""More than this is parsed in a thread: it would hold up the event loop for milliseconds."""
MAX_LEARNING_ROUNDS = 6
"""Learning is settled in two rounds; more only while others change the same datasource."""
FLUSH_S = 1.0
"""What a slow body has brought is committed after this long, as soon as more of it comes."""
BUFFER_WAIT_S = 0.05
MAX_BUFFER_WAITS = 200
"""A stream waits so often for room in the buffer: what it sent before is committed already."""

T = TypeVar("T")


class Sink(Protocol):
    """What a stream needs of the service: the schema as it is now, learning, committing."""

    settings: Settings

    async def schema(self) -> DatasourceSchema:
        """Return the datasource's schema. Raises Unauthorized when it was deleted."""

    def codec(self, schema: DatasourceSchema) -> FastCodec:
        """Return the codec of the schema as it is now."""

    async def learn(self, schema: DatasourceSchema, wanted: Wanted) -> None:
        """Commit what is new. Raises Unauthorized when the datasource was deleted."""

    async def commit(self, block: Block) -> None:
        """Return once the block is committed. Raises Overloaded when there is no room for it."""


class Stream:
    """One request."""

    def __init__(self, sink: Sink, parser: Parser, context: Context, options: Options) -> None:
        """Prepare; `run` reads the body."""
        self._sink = sink
        self._parser = parser
        self._context = context
        self._options = options
        self._is_whole = options.strict or options.dry_run
        self._gathered: list[Part] = []
        self._rows = 0
        self._fed_bytes = 0
        self._parted_s = time.monotonic()
        self.accepted = 0
        self.rejected = 0
        self._errors: list[ItemError] = []
        self._committing: asyncio.Task[None] | None = None

    async def run(self, pieces: AsyncIterator[bytes]) -> tuple[int, bytes]:
        """Take a body in; return status and answer. Raises TwinfeedError with what was committed."""
        refused = False
        try:
            async for piece in pieces:
                self._fed_bytes += len(piece)
                await self._parse(self._parser.feed(piece), self._fed_bytes > THREAD_BYTES)
                if not self._is_whole and time.monotonic() - self._parted_s >= FLUSH_S:
                    await self._parse(self._parser.flush(), self._fed_bytes > THREAD_BYTES)
            await self._parse(self._parser.finish(), in_thread=True)
            if self._is_whole:
                refused = await self._take_whole()
            await self._committed()
        except TwinfeedError as exc:
            raise await self._broken(exc) from exc
        finally:
            if self._committing is not None:
                await asyncio.gather(self._committing, return_exceptions=True)
        columns = self._parser.taken() if self._options.dry_run else []
        return answer.render(
            self.accepted,
            self.rejected,
            self._errors,
            dry_run=self._options.dry_run,
            strict=refused,
            columns=columns,
        )

    async def _broken(self, exc: TwinfeedError) -> TwinfeedError:
        """Return the error with what was committed and is kept."""
        if self._committing is not None:
            await asyncio.gather(self._committing, return_exceptions=True)
        exc = copy(exc)  # a writer tells several requests of one
        counted = 0 if self._options.dry_run else self.accepted
        exc.extra = {**exc.extra, "accepted": counted, "rejected": self.rejected}
        exc.errors = [*exc.errors, *self._errors][: answer.MAX_ERRORS]
        if counted:
            exc.message = f"{exc.message} {counted} readings before it are stored."
        return exc

    async def _parse(self, parts: Iterator[Part], in_thread: bool) -> None:
        while True:
            part = await _call(in_thread, next, parts, None)
            if part is None:
                return
            self._fed_bytes, self._parted_s = 0, time.monotonic()
            self._rows += len(part)
            if self._is_whole:
                check_count(self._rows, self._sink.settings.max_readings)
                self._gathered.append(part)
            else:
                if self._rows > self._sink.settings.max_stream_readings:
                    most = self._sink.settings.max_stream_readings
                    raise TooLarge(f"A request may hold at most {most} readings.")
                await self._take(part)

    async def _take(self, part: Part) -> None:
        """Judge and commit one part."""
        schema = await self._sink.schema()
        in_thread = len(part) > 1000
        if isinstance(part, Lines):
            shifted = Context(
                self._context.received_us + part.first,
                self._context.zone,
                self._context.ns_per_unit,
            )
            codec = self._sink.codec(schema)
            block = await _call(in_thread, codec.lines_block, part.lines, shifted)
            if block is not None:
                await self._commit(block, len(part), 0, [])
                return
        judged, block = await self._settle(part, in_thread)
        await self._commit(block, judged.accepted, judged.rejected, judged.errors)

    async def _take_whole(self) -> bool:
        """Judge everything at once; return whether strict refused it."""
        whole = _joined(self._gathered)
        if self._options.dry_run:
            judged = await _call(True, self._judge, whole, await self._sink.schema())
            return self._count_refused(judged)
        judged, block = await self._settle(whole, True)
        if judged.rejected:
            return self._count_refused(judged)
        await self._commit(block, judged.accepted, judged.rejected, judged.errors)
        return False

    def _count_refused(self, judged: Judged) -> bool:
        refused = self._options.strict and judged.rejected > 0
        self.accepted = 0 if refused else judged.accepted
        self.rejected = judged.rejected + judged.accepted - self.accepted
        self._errors = judged.errors
        return refused

    async def _settle(self, part: Part, in_thread: bool) -> tuple[Judged, Block | None]:
        """Judge a part, learn what is new, and make its rows."""
        for _ in range(MAX_LEARNING_ROUNDS):
            schema = await self._sink.schema()
            judged, block = await _call(in_thread, self._judge_and_frame, part, schema)
            if not judged.accepted or block is not None:
                return judged, block
            if self._options.strict and judged.rejected:
                return judged, None
            await self._sink.learn(schema, judged.wanted)
        raise Overloaded("The datasource is changing too quickly; try again.", retry_after_s=1)

    def _judge_and_frame(self, part: Part, schema: DatasourceSchema) -> tuple[Judged, Block | None]:
        judged = self._judge(part, schema)
        is_settled = judged.accepted > 0 and not judged.wanted
        return judged, judged.block(schema) if is_settled else None

    def _judge(self, part: Part, schema: DatasourceSchema) -> Judged:
        found = part if isinstance(part, Columns) else readings(part, self._context)
        return judge_any(found, schema, self._sink.settings)

    async def _commit(
        self, block: Block | None, accepted: int, rejected: int, errors: list[ItemError]
    ) -> None:
        """Begin to commit a part, once the one before it is."""
        await self._committed()
        self.rejected += rejected
        self._errors += errors[: answer.MAX_ERRORS - len(self._errors)]
        if block is not None:
            self._committing = asyncio.create_task(self._commit_patiently(block, accepted))

    async def _committed(self) -> None:
        if self._committing is not None:
            committing, self._committing = self._committing, None
            await committing

    async def _commit_patiently(self, block: Block, accepted: int) -> None:
        for waits in range(MAX_BUFFER_WAITS + 1):
            try:
                await self._sink.commit(block)
            except Overloaded:
                if waits == MAX_BUFFER_WAITS:
                    raise
                await asyncio.sleep(BUFFER_WAIT_S)
            else:
                self.accepted += accepted
                return


async def _call(in_thread: bool, function: Callable[..., T], *arguments: object) -> T:
    if in_thread:
        return await asyncio.to_thread(function, *arguments)
    return function(*arguments)


def _joined(parts: list[Part]) -> Part:
    columns = [part for part in parts if isinstance(part, Columns)]
    if columns:
        return joined(columns)
    return Lines(0, [line for part in parts if isinstance(part, Lines) for line in part.lines])
