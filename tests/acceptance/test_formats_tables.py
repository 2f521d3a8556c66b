"""Tables as they come out of machines and spreadsheets: recordings, exports, workbooks, Arrow types."""

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest
from support.server import RunningServer
from support.stored import NOTHING, learned, stored
from support.tables import arrow, parquet, workbook

from ingest.formats.media import ARROW, CSV, PARQUET, XLSX
from twin.clock import to_us

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
T0 = 1_700_000_000
T0_US = T0 * 1_000_000
SECOND = 1_000_000

RECORDINGS = {
    "machine_temperature.csv": ",",
    "pump_testbed_0.csv": ";",
    "pump_testbed_1.csv": ";",
    "pump_testbed_2.csv": ";",
}


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("media", [CSV, XLSX, ARROW, PARQUET])
def test_a_recording_is_stored_as_it_is_in_the_file(
    server: RunningServer, name: str, media: str
) -> None:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    with path.open(newline="") as file:
        header, *lines = csv.reader(file, delimiter=RECORDINGS[name])
    expected = {}
    for moment, *cells in lines:
        ts_us = to_us(datetime.fromisoformat(moment).replace(tzinfo=UTC))
        expected["", ts_us] = dict(zip(header[1:], map(float, cells), strict=True))
    datasource = server.datasource(name)
    answer = datasource.post(_as(media, path, header, lines), Content_Type=media)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"accepted": len(lines), "rejected": 0, "errors": []}
    found = stored(datasource)
    assert found.keys() == expected.keys()
    for place, values in expected.items():  # openpyxl writes 16 digits
        near = pytest.approx(values, rel=1e-14) if media == XLSX else values
        assert found[place] == near


def _as(media: str, path: Path, header: list[str], lines: list[list[str]]) -> bytes:
    if media == CSV:
        return path.read_bytes()
    if media == XLSX:
        rows = [[datetime.fromisoformat(t), *map(float, cells)] for t, *cells in lines]
        return workbook({"data": [header, *rows]})
    options = pyarrow.csv.ParseOptions(delimiter=RECORDINGS[path.name])
    table = pyarrow.csv.read_csv(path, parse_options=options)
    return arrow(table) if media == ARROW else parquet(table)


def test_a_german_export_goes_in_as_it_is(server: RunningServer) -> None:
    datasource = server.datasource(timezone="Europe/Berlin")
    text = (
        "Zeitstempel;Gerät;Größe in m²;an;Text\r\n"
        '24.12.2024 13:05;Presse 1;1.234,5;WAHR;"über\n""zwei"" Zeilen"\r\n'
        "24.12.2024 13:05:30,5;Presse 1;-0,25;FALSCH;\r\n"
        ";;;;\r\n"
        "31.02.2024 00:00;Presse 1;1;;\r\n"
    )
    expected = {
        ("Presse 1", to_us(datetime(2024, 12, 24, 12, 5, tzinfo=UTC))): {
            "Größe in m²": 1234.5,
            "an": True,
            "Text": 'über\n"zwei" Zeilen',
        },
        ("Presse 1", to_us(datetime(2024, 12, 24, 12, 5, 30, 500_000, tzinfo=UTC))): {
            "Größe in m²": -0.25,
            "an": False,
        },
    }
    for encoding in ("utf-8", "utf-8-sig", "cp1252", "utf-16"):
        answer = datasource.post(text.encode(encoding), Content_Type=CSV)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["accepted"], told["rejected"]) == (2, 1)
        assert [(e["index"], e["key"]) for e in told["errors"]] == [(3, "Zeitstempel")]
        assert stored(datasource) == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("1.234.567", "2.345.678"), (1234567, 2345678)),
        (("999", "1.234.567"), (999, 1234567)),
        (("1.234", "1.234.567"), (1234, 1234567)),
        (("1.234", "1.235"), (1.234, 1.235)),
        (("1.234", "10.0.0.7"), (1.234, None)),
        (("10.100.200.254", "10.100.200.255"), ("10.100.200.254", "10.100.200.255")),
    ],
)
def test_two_points_part_thousands(
    server: RunningServer, cells: tuple[str, str], expected: tuple[object, object]
) -> None:
    datasource = server.datasource()
    lines = [f"{T0 + second};{cell}" for second, cell in enumerate(cells)]
    assert datasource.post("\n".join(["time;v", *lines]), Content_Type=CSV).is_success
    found = [values["v"] for _, values in sorted(stored(datasource).items())]
    assert found == [value for value in expected if value is not None]


def test_parameters_say_what_names_do_not(server: RunningServer) -> None:
    datasource = server.datasource()
    body = "when|who|a\n2024-06-01 12:00|x|1,5\n"
    query = "?time_column=When&device_column=who&delimiter=|&decimal=,&tz=Europe/Berlin"
    answer = datasource.post(body, query=query, Content_Type=CSV)
    assert answer.status_code == 200, answer.text
    at_us = to_us(datetime(2024, 6, 1, 10, tzinfo=UTC))
    assert stored(datasource) == {("x", at_us): {"a": 1.5}}


@pytest.mark.parametrize(
    ("query", "body", "word"),
    [
        ("?time_column=zzz", "ts,a\n1,2\n", "zzz"),
        ("?device_column=zzz", "ts,a\n1,2\n", "zzz"),
        ("?delimiter=ab", "ts,a\n1,2\n", "delimiter"),
        ("?decimal=x", "ts,a\n1,2\n", "decimal"),
        ("?tz=Mars/Base", "ts,a\n1,2\n", "tz"),
        ("?tz=../../etc/passwd", "ts,a\n1,2\n", "tz"),
        ("", "ts,a,b,a\n1,2,3,4\n", "'a'"),
        ("", "ts\n1\n", "ts"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(
    server: RunningServer, query: str, body: str, word: str
) -> None:
    datasource = server.datasource()
    answer = datasource.post(body, query=query, Content_Type=CSV)
    assert answer.status_code == 422, answer.text
    assert word in answer.json()["message"]
    assert learned(datasource) == NOTHING


@pytest.mark.parametrize("is_1904", [False, True])
def test_a_workbook_in_either_date_system(server: RunningServer, is_1904: bool) -> None:
    datasource = server.datasource(timezone="Europe/Berlin")
    serial = 45_000.25 - 1462 * is_1904  # 2023-03-15 06:00
    body = workbook(
        {
            "Notes": [["nothing", "here"], [1, 2]],
            "Data": [
                [],
                ["Time", "Device", "a", "b", "when", "calc"],
                [datetime(2024, 12, 24, 13, 5), "m1", 1.5, True, date(2024, 1, 2), "=1+1"],
                [None, None, None, None, None, None],
                [serial, "m2", "2,5", None, None, None],
                ["24.12.2024 14:00", 7, "x", False, None, None],
            ],
        },
        is_1904=is_1904,
    )
    answer = datasource.post(body, query="?sheet=Data", Content_Type=XLSX)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["accepted"], told["rejected"]) == (2, 1)
    assert [(e["index"], e["key"]) for e in told["errors"]] == [(3, "a")]
    assert stored(datasource) == {
        ("m1", to_us(datetime(2024, 12, 24, 12, 5, tzinfo=UTC))): {
            "a": 1.5,
            "b": True,
            "when": "2024-01-02",
        },
        ("m2", to_us(datetime(2023, 3, 15, 5, tzinfo=UTC))): {"a": 2.5},
    }
    answer = datasource.post(body, query="?sheet=Nope", Content_Type=XLSX)
    assert answer.status_code == 422
    assert "Notes, Data" in answer.json()["message"]


def test_types_of_arrow(server: RunningServer) -> None:
    datasource = server.datasource(timezone="Europe/Berlin")
    moments = pa.array([T0, T0 + 1], pa.int64())
    for unit, factor in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
        times = pa.array(
            [t * factor for t in moments.to_pylist()], pa.timestamp(unit, "Asia/Tokyo")
        )
        table = pa.table(
            {
                "time": times,
                "device": pa.array(["x", "y"]).dictionary_encode(),
                "n": pa.array([1, None], pa.uint16()),
                "f": pa.array([None, 2.5], pa.float32()),
                "s": pa.array(["on", "off"], pa.large_string()),
                "nothing": pa.nulls(2),
            }
        )
        for media, make in ((ARROW, arrow), (PARQUET, parquet)):
            assert datasource.post(make(table), Content_Type=media).json()["accepted"] == 2
            assert stored(datasource) == {
                ("x", T0_US): {"n": 1, "s": "on"},
                ("y", T0_US + SECOND): {"f": 2.5, "s": "off"},
            }
    nested = pa.table({"time": moments, "a": [[1], [2]]})
    for media, make in ((ARROW, arrow), (PARQUET, parquet)):
        answer = datasource.post(make(nested), Content_Type=media)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["key"] == "a"
