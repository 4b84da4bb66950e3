"""Records of late points to line protocol and back."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.ledger.lateness import (
    LateArrival,
    decode_checks,
    decode_lateness,
    encode_check,
    encode_lateness,
)
from airflow_provider_influx_rollup.windows.interval import Interval

HOUR = Interval(datetime(2025, 3, 8, 10, tzinfo=UTC), datetime(2025, 3, 8, 11, tzinfo=UTC))
ARRIVAL = LateArrival(
    pipeline="sensors 1h",
    measurement="readings",
    window=HOUR,
    generation=2,
    points=5,
    at_least_seconds=600.5,
    at_most_seconds=7200.0,
    found_at=datetime(2025, 3, 8, 13, tzinfo=UTC),
    by_series=(((("device", 'say "hi"'), ("site", "são paulo")), 3), ((("device", "b"),), 1)),
)


def by_series_of(line: str) -> Any:
    text = re.search(r'by_series="((?:[^"\\]|\\.)*)"', line)
    assert text
    return json.loads(text[1].replace('\\"', '"').replace("\\\\", "\\"))


def row(arrival: LateArrival) -> dict[str, Any]:
    """As a query returns it, pivoted; the series by hand."""
    return {
        "_time": HOUR.start,
        "pipeline": "sensors 1h",
        "measurement": "readings",
        "window_start_ns": 1741428000 * 10**9,
        "stop_ns": 1741431600 * 10**9,
        "generation": arrival.generation,
        "points": 5,
        "at_least_seconds": 600.5,
        "at_most_seconds": 7200.0,
        "found_at_ns": 1741438800 * 10**9,
        "by_series": '[[{"site": "são paulo", "device": "say \\"hi\\""}, 3], [{"device": "b"}, 1]]',
    }


def test_line_holds_every_value_when_it_is_encoded() -> None:
    (line,) = encode_lateness([ARRIVAL])
    assert line.startswith("lateness,measurement=readings,pipeline=sensors\\ 1h at_least_seconds=600.5,")
    assert line.endswith(f" {1741428000 * 10**9 + 2}")
    for text in ("at_most_seconds=7200.0", "found_at_ns=1741438800000000000i", "generation=2i", "points=5i"):
        assert text in line
    assert by_series_of(line) == [[{"device": 'say "hi"', "site": "são paulo"}, 3], [{"device": "b"}, 1]]


def test_record_is_the_same_when_it_is_decoded() -> None:
    assert decode_lateness([row(ARRIVAL)]) == [ARRIVAL]
    later = replace(ARRIVAL, generation=3)
    assert decode_lateness([row(later), row(ARRIVAL)]) == [ARRIVAL, later]


def test_point_is_the_same_when_a_repair_is_told_again() -> None:
    again = replace(ARRIVAL, found_at=ARRIVAL.found_at + timedelta(minutes=1), at_most_seconds=7260.0)
    assert key(ARRIVAL) == key(again)
    assert key(ARRIVAL) != key(replace(ARRIVAL, generation=3))


def key(arrival: LateArrival) -> tuple[str, str]:
    """What makes one point of it: the tags and the time."""
    (line,) = encode_lateness([arrival])
    head, _, _ = line.partition(" at_least_seconds=")
    return head, line.rpartition(" ")[2]


def test_series_are_left_out_when_none_is_known() -> None:
    (line,) = encode_lateness([replace(ARRIVAL, by_series=())])
    assert "by_series" not in line
    unknown = {name: value for name, value in row(ARRIVAL).items() if name != "by_series"}
    (decoded,) = decode_lateness([unknown])
    assert decoded.by_series == ()
    assert decoded.points_of_unknown_series == 5


def test_most_late_series_are_kept_when_a_field_cannot_hold_all() -> None:
    many = tuple(((("device", f"d{n:04}"),), n) for n in range(1, 1001))
    (line,) = encode_lateness([replace(ARRIVAL, points=500_500, by_series=many)])
    kept = by_series_of(line)
    assert [points for _, points in kept] == list(range(1000, 900, -1))
    long = tuple(((("device", "é" * 2000 + str(n)),), 1) for n in range(50))
    (line,) = encode_lateness([replace(ARRIVAL, by_series=long)])
    assert 5 < len(by_series_of(line)) < 20
    assert len(line.encode()) < 65_536


def test_points_are_of_no_known_series_when_there_are_more_than_those_named() -> None:
    assert ARRIVAL.points_of_unknown_series == 1


def hours(*numbers: int) -> list[Interval]:
    starts = [datetime(2025, 3, 8, tzinfo=UTC) + timedelta(hours=number) for number in numbers]
    return [Interval(start, start + timedelta(hours=1)) for start in starts]


def test_check_holds_merged_windows_when_some_were_right() -> None:
    at = datetime(2025, 3, 8, 13, tzinfo=UTC)
    (line,) = encode_check("p", hours(5, 0, 1), at)
    head, spans, time = (
        line.split(" ", 1)[0],
        line[line.index('"') + 1 : line.rindex('"')],
        line.rsplit(" ")[-1],
    )
    assert (head, time) == ("lateness_check,pipeline=p", str(1741438800 * 10**9))
    (check,) = decode_checks([{"pipeline": "p", "_time": at, "_value": spans}])
    assert check.spans == (Interval(hours(0)[0].start, hours(1)[0].stop), hours(5)[0])
    assert check.checked_at == at
    assert encode_check("p", [], at) == []


def test_longest_spans_are_kept_when_a_field_cannot_hold_all() -> None:
    (line,) = encode_check("p", [*hours(*range(0, 4000, 2)), *hours(1)], HOUR.stop)
    assert len(line.encode()) < 65_536
    spans = json.loads(line[line.index('"') + 1 : line.rindex('"')])
    assert len(spans) == 1000
    assert spans[0][1] - spans[0][0] == 3 * 3600 * 10**9
