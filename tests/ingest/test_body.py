"""Decompression within bounds."""

import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingest.body import decompress
from twin.errors import TooLarge, Unreadable, UnsupportedMedia

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
    "": bytes,
}


def streamed_zstd(data: bytes) -> bytes:
    """Compress without writing the content's size into the frame."""
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("encoding", PACK)
def test_the_bound(encoding: str) -> None:
    for size in (0, 1, 999, 1000):
        assert decompress(PACK[encoding](b"x" * size), encoding, 1000) == b"x" * size
    with pytest.raises(TooLarge):
        decompress(PACK[encoding](b"x" * 1001), encoding, 1000)


@given(st.binary(max_size=5000), st.sampled_from(["gzip", "zstd"]), st.integers(1, 4))
def test_parts_are_joined(data: bytes, encoding: str, parts: int) -> None:
    step = len(data) // parts + 1
    packed = b"".join(PACK[encoding](data[i : i + step]) for i in range(0, len(data), step))
    if data:
        assert decompress(packed, encoding, 5000) == data
        with pytest.raises(TooLarge):
            decompress(packed, encoding, len(data) - 1)


def test_a_zstd_frame_that_does_not_tell_its_size() -> None:
    data = b"0123456789" * 1000
    assert decompress(streamed_zstd(data), "zstd", 10_000) == data
    with pytest.raises(TooLarge):
        decompress(streamed_zstd(data), "zstd", 9_999)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_every_cut_is_noticed(encoding: str) -> None:
    packed = PACK[encoding](b'{"a": 1}' * 50)
    for cut in range(1, len(packed)):
        with pytest.raises(Unreadable):
            decompress(packed[:cut], encoding, 10_000)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "zstd"]))
def test_any_bytes_are_a_body_or_an_error_of_ours(data: bytes, encoding: str) -> None:
    with contextlib.suppress(Unreadable, TooLarge):
        assert len(decompress(data, encoding, 1000)) <= 1000


@pytest.mark.parametrize(
    "packed",
    [
        zlib.compress(b" " * 2**26, 9),
        gzip.compress(b" " * 2**26, 9),
        zstandard.compress(b" " * 2**26),
        streamed_zstd(b" " * 2**26),
    ],
    ids=["zlib", "gzip", "zstd", "zstd without a size"],
)
def test_a_bomb_is_not_inflated(packed: bytes) -> None:
    tracemalloc.start()
    try:
        for encoding in ("gzip", "zstd"):
            with pytest.raises((TooLarge, Unreadable)):
                decompress(packed, encoding, 2**20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**23


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, zstd", "x" * 1000])
def test_other_encodings(encoding: str) -> None:
    with pytest.raises(UnsupportedMedia) as refused:
        decompress(b"{}", encoding, 1000)
    assert len(refused.value.message) < 200
