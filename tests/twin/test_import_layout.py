"""Which columns of a table are the time and the device, and what is said when none is."""

import pytest

from twin.importer.errors import ImportFailed
from twin.importer.layout import find_layout


@pytest.mark.parametrize(
    "name", ["ts", "Timestamp", "TIME", "datetime", "Date Time", "date-time", "date"]
)
def test_the_time_is_found_by_name(name: str) -> None:
    layout = find_layout(["flow", name, "pressure"])
    assert layout.time == 1
    assert layout.device is None
    assert layout.keys == {"flow": 0, "pressure": 2}


@pytest.mark.parametrize("name", ["device", "Device ID", "device_id", "DEVICE-NAME"])
def test_the_device_is_found_by_name(name: str) -> None:
    layout = find_layout(["ts", name, "flow"])
    assert (layout.device, layout.keys) == (1, {"flow": 2})


def test_the_more_usual_name_wins_and_the_other_is_a_key() -> None:
    layout = find_layout(["date", "ts", "flow"])
    assert (layout.time, layout.keys) == (1, {"date": 0, "flow": 2})


def test_given_names_count_exactly_and_else_without_case() -> None:
    layout = find_layout(["WHEN", "when", "Which", "ts"], "when", "which")
    assert (layout.time, layout.device) == (1, 2)
    assert layout.keys == {"WHEN": 0, "ts": 3}


def test_columns_without_a_name_are_left_out() -> None:
    layout = find_layout(["", "ts", "flow", ""])
    assert (layout.keys, layout.unnamed, layout.width) == ({"flow": 2}, [0, 3], 4)


@pytest.mark.parametrize(
    ("header", "time", "device", "said"),
    [
        (["a", "b"], None, None, "--time-column; there are: a, b"),
        (["ts", "v"], "when", None, "no column 'when' for the time"),
        (["ts", "v"], None, "who", "no column 'who' for the device"),
        (["ts", "v", "v"], None, None, "Two columns are named 'v'"),
        (["ts", "device"], None, None, "no column beside"),
        (["ts"], None, None, "--delimiter"),
    ],
)
def test_what_is_missing_is_said(
    header: list[str], time: str | None, device: str | None, said: str
) -> None:
    with pytest.raises(ImportFailed, match=said):
        find_layout(header, time, device)
