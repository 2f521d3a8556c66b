"""The frame of a message of an Arrow IPC stream: how long it is, and how far its buffers expand. Pure.

Format: Apache Arrow, "Arrow Columnar Format", Encapsulated message format; Message.fbs, Schema.fbs.
pyarrow tells neither before it has read, and allocated, all of a message.
"""

import struct

import msgspec

from twin.errors import Unreadable

CONTINUATION = b"\xff\xff\xff\xff"
MAX_METADATA_BYTES = 2**20
_HEAD_BYTES = 8
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
"""Fields of the table Message."""
_RECORD_BATCH, _DICTIONARY_BATCH = 3, 2
"""Members of the union MessageHeader."""
_BUFFERS, _COMPRESSION, _DATA = 2, 3, 1
"""Fields of the tables RecordBatch and DictionaryBatch."""
_MAX_BUFFERS = 100_000


class Frame(msgspec.Struct, frozen=True):
    """A message's length in all, in bytes; 0 = the end of the stream."""

    size: int
    is_batch: bool = False


def frame(data: bytearray) -> Frame | None:
    """Return the frame of the message that data begins with, None when more is needed.

    Raises Unreadable.
    """
    if len(data) < _HEAD_BYTES:
        return None
    if data[:4] != CONTINUATION:
        raise Unreadable("The body is not an Arrow IPC stream (a file of Arrow is another format).")
    (length,) = struct.unpack_from("<i", data, 4)
    if length == 0:
        return Frame(0)
    if not 8 <= length <= MAX_METADATA_BYTES:
        raise Unreadable(f"The Arrow stream is damaged: metadata of {length} bytes.")
    if len(data) < _HEAD_BYTES + length:
        return None
    message = _Table.root(bytes(data[_HEAD_BYTES : _HEAD_BYTES + length]))
    body = message.scalar(_BODY_LENGTH, "<q")
    if body < 0:
        raise Unreadable("The Arrow stream is damaged: a body of negative length.")
    is_batch = message.scalar(_HEADER_TYPE, "<B") == _RECORD_BATCH
    return Frame(_HEAD_BYTES + length + body, is_batch)


def expanded_bytes(message: bytes) -> int:
    """Return what the buffers of a whole message claim to hold once decompressed.

    Raises Unreadable.
    """
    (length,) = struct.unpack_from("<i", message, 4)
    table = _Table.root(message[_HEAD_BYTES : _HEAD_BYTES + length])
    type_ = table.scalar(_HEADER_TYPE, "<B")
    if type_ not in (_RECORD_BATCH, _DICTIONARY_BATCH):
        return len(message)
    batch = table.table(_HEADER)
    if type_ == _DICTIONARY_BATCH:
        batch = batch.table(_DATA)
    if not batch.has(_COMPRESSION):
        return len(message)
    body = memoryview(message)[_HEAD_BYTES + length :]
    total = 0
    for offset, size in batch.pairs(_BUFFERS):
        if size >= 8 and 0 <= offset <= len(body) - 8:
            (claimed,) = struct.unpack_from("<q", body, offset)
            total += max(claimed, size)
    return max(total, len(message))


class _Table:
    """A table of a flatbuffer: a position, and a vtable of where its fields are."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        self._vtable = at - self._read("<i", at)
        self._vtable_bytes = self._read("<H", self._vtable)

    @classmethod
    def root(cls, data: bytes) -> "_Table":
        (at,) = struct.unpack_from("<I", data, 0)
        return cls(data, at)

    def has(self, field: int) -> bool:
        return self._place(field) != 0

    def scalar(self, field: int, code: str) -> int:
        place = self._place(field)
        return self._read(code, self._at + place) if place else 0

    def table(self, field: int) -> "_Table":
        place = self._place(field)
        if not place:
            raise _damaged()
        at = self._at + place
        return _Table(self._data, at + self._read("<I", at))

    def pairs(self, field: int) -> list[tuple[int, int]]:
        """Return a vector of structs of two int64."""
        place = self._place(field)
        if not place:
            return []
        at = self._at + place
        at += self._read("<I", at)
        count = self._read("<I", at)
        if count > _MAX_BUFFERS or at + 4 + 16 * count > len(self._data):
            raise _damaged()
        flat = struct.unpack_from(f"<{2 * count}q", self._data, at + 4)
        return list(zip(flat[::2], flat[1::2], strict=True))

    def _place(self, field: int) -> int:
        slot = 4 + 2 * field
        return self._read("<H", self._vtable + slot) if slot < self._vtable_bytes else 0

    def _read(self, code: str, at: int) -> int:
        if at < 0 or at + struct.calcsize(code) > len(self._data):
            raise _damaged()
        (value,) = struct.unpack_from(code, self._data, at)
        return int(value)


def _damaged() -> Unreadable:
    return Unreadable("The Arrow stream is damaged: the metadata of a message cannot be read.")
