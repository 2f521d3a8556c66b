"""Bodies in every encoding, and those that cannot be read."""

import gzip
import json
import re
from typing import Any

import pytest
import zstandard
from support.server import RunningServer
from support.stored import NOTHING, learned

T0 = 1_700_000_000


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content_Type": "application/json"},
        {"Content_Type": "application/json; charset=utf-8"},
        {"Content_Type": "APPLICATION/JSON"},
        {"Content_Encoding": "identity"},
        {"Content_Encoding": "gzip"},
        {"Content_Encoding": "GZIP"},
        {"Content_Encoding": "zstd"},
    ],
)
def test_every_encoding_says_the_same(server: RunningServer, headers: dict[str, str]) -> None:
    datasource = server.datasource()
    body = json.dumps([{"ts": T0 + i, "a": i} for i in range(2000)]).encode()
    encode = {"gzip": gzip.compress, "zstd": zstandard.compress}
    send = encode.get(headers.get("Content_Encoding", "").lower(), lambda data: data)
    answer = datasource.post(send(body), **headers)
    assert answer.status_code == 200, answer.text
    assert learned(datasource)[2] == 2000


def test_gzip_members_and_zstd_frames_are_joined(server: RunningServer) -> None:
    datasource = server.datasource()
    halves = b'[{"ts":1700000000,"a":1}', b',{"ts":1700000001,"a":2}]'
    for encoding, compress in (("gzip", gzip.compress), ("zstd", zstandard.compress)):
        answer = datasource.post(b"".join(map(compress, halves)), Content_Encoding=encoding)
        assert answer.json()["accepted"] == 2, answer.text
    assert learned(datasource)[2] == 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Encoding": "br"}, 415),
        ({"Content_Encoding": "deflate"}, 415),
        ({"Content_Encoding": "gzip, gzip"}, 415),
        ({"Content_Type": "application/xml"}, 415),
        ({"Content_Type": "nonsense"}, 415),
        ({"Content_Encoding": "gzip"}, 400),
        ({"Content_Encoding": "zstd"}, 400),
    ],
)
def test_what_cannot_be_decoded_is_refused(
    server: RunningServer, headers: dict[str, str], status: int
) -> None:
    datasource = server.datasource()
    answer = datasource.post(b'{"a": 1}', **headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == status
    assert learned(datasource) == NOTHING


@pytest.mark.parametrize("cut", [1, 5, 9])
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_compressed_body_that_ends_early_is_refused(
    server: RunningServer, encoding: str, cut: int
) -> None:
    datasource = server.datasource()
    body = json.dumps([{"a": i} for i in range(1000)]).encode()
    whole = gzip.compress(body) if encoding == "gzip" else zstandard.compress(body)
    answer = datasource.post(whole[:-cut], Content_Encoding=encoding)
    assert answer.status_code == 400, answer.text
    assert learned(datasource) == NOTHING


@pytest.mark.parametrize(
    ("body", "byte"),
    [
        (b'{"a": 1', 7),
        (b'{"a": }', 6),
        (b'[{"a": 1}, {"a": nope}]', 18),
        (b'{"a": NaN}', 6),
        (b'{"a": Infinity}', 6),
        (b'{"a": 01}', None),
        (b'{"a": 1} {"a": 2}', 9),
        (b'{"a": "\xff"}', 7),
        (b"{'a': 1}", 1),
        (b"\x00", 0),
        (b'{"a": "\\ud800"}', None),
        (b"[" * 100_000, None),
        (b'{"a":' * 100_000, None),
        (b"", None),
        (b" \n ", None),
        (b"[]", None),
        (b'{"values": {"a": []}}', None),
    ],
)
def test_a_body_that_cannot_be_read_is_a_400(
    server: RunningServer, body: bytes, byte: int | None
) -> None:
    datasource = server.datasource()
    answer = datasource.post(body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] == "BAD_REQUEST"
    if byte is not None:
        told = re.search(r"byte (\d+)", answer.json()["message"])
        assert told
        assert abs(int(told[1]) - byte) <= 4  # within the word that is wrong
    assert learned(datasource) == NOTHING


@pytest.mark.parametrize(
    "body",
    [
        {"ts": [T0, T0 + 1], "values": {"a": [1]}},
        {"ts": T0, "values": {"a": [1]}},
        {"ts": [T0], "values": {"a": [1], "b": 2}},
        {"ts": [T0], "values": {"a": [1]}, "stray": 1},
        {"values": {"a": [1, 2]}, "device": ["x"]},
        3,
        "text",
        True,
        None,
    ],
)
def test_what_cannot_be_readings_at_all_is_a_422(server: RunningServer, body: Any) -> None:
    datasource = server.datasource()
    answer = datasource.post(json.dumps(body))
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"] == "VALIDATION_ERROR"
    assert learned(datasource) == NOTHING
