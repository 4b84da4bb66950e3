"""From when to when a script reads for a window."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.flux.script import ScriptFacts, script_facts
from airflow_provider_influx_rollup.lint.parser import parse_flux
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.rollup_runs import interval

WINDOW = interval("2025-03-31T05:00", "2025-03-31T06:00")
HEAD = """import "date"
import "experimental"
import "experimental/query"
import "timezone"
option task = {name: "own", every: 6h}
"""


def facts(text: str) -> ScriptFacts:
    return script_facts(parse_flux(HEAD + text))


def spans(bounds: str, more: str = "") -> list[Interval | None]:
    return [one.interval(WINDOW) for one in facts(f'{more}\nfrom(bucket: "a") |> range({bounds})').reads]


@pytest.mark.parametrize(
    ("bounds", "start", "stop"),
    [
        ("start: v.timeRangeStart, stop: v.timeRangeStop", "2025-03-31T05:00", "2025-03-31T06:00"),
        ("start: -30m", "2025-03-31T05:30", "2025-03-31T06:00"),
        ("start: -2h", "2025-03-31T04:00", "2025-03-31T06:00"),
        ("start: -task.every", "2025-03-31T00:00", "2025-03-31T06:00"),
        ("start: -1mo", "2025-02-28T06:00", "2025-03-31T06:00"),
        ("start: -3h, stop: -2h", "2025-03-31T03:00", "2025-03-31T04:00"),
        ("start: v.timeRangeStart, stop: 2h", "2025-03-31T05:00", "2025-03-31T08:00"),
        ("start: date.sub(d: 1h, from: v.timeRangeStart)", "2025-03-31T04:00", "2025-03-31T06:00"),
        ("start: date.add(d: -1h, to: now())", "2025-03-31T05:00", "2025-03-31T06:00"),
        ("start: experimental.subDuration(d: 1d, from: now())", "2025-03-30T06:00", "2025-03-31T06:00"),
        ("start: date.truncate(t: now(), unit: 1d)", "2025-03-31T00:00", "2025-03-31T06:00"),
        ("start: date.truncate(t: -1mo, unit: 1mo)", "2025-02-01T00:00", "2025-03-31T06:00"),
        ("start: today()", "2025-03-31T00:00", "2025-03-31T06:00"),
        ("start: -290y", "1735-03-31T06:00", "2025-03-31T06:00"),
        ("start: -9000y", "1678-01-01T00:00", "2025-03-31T06:00"),
    ],
)
def test_time_is_that_of_the_server_when_a_range_is_plain(bounds: str, start: str, stop: str) -> None:
    assert spans(bounds) == [interval(start, stop)]


@pytest.mark.parametrize(
    "bounds",
    ["start: date.truncate(t: -1d, unit: 1d, location: x)", "start: time(v: 5)", "start: s", "start: v.x"],
)
def test_window_alone_counts_when_a_bound_is_not_plain(bounds: str) -> None:
    assert spans(bounds, "s = date.sub(d: 1h, from: s)") == [WINDOW]


def test_local_days_are_not_taken_for_those_of_utc() -> None:
    assert spans("start: today()", 'option location = timezone.location(name: "Asia/Tokyo")') == [WINDOW]


@pytest.mark.parametrize(
    ("read", "buckets", "ids", "is_unnamed"),
    [
        ('query.inBucket(bucket: "a", start: -1h, measurement: "m")', ("a",), (), False),
        ('query.fromRange(bucket: "a", start: -1h)', ("a",), (), False),
        ('from(bucketID: "0123456789abcdef") |> range(start: -1h)', (), ("0123456789abcdef",), False),
        ('from(bucket: "a" + "b" + "c") |> range(start: -1h)', ("abc",), (), False),
        ('x = "b"\nfrom(bucket: "a${x}c") |> range(start: -1h)', ("abc",), (), False),
        ('from(bucket: if 1 == 1 then "a" else "b") |> range(start: -1h)', (), (), True),
        ('x = x + "a"\nfrom(bucket: x) |> range(start: -1h)', (), (), True),
        ('x0 = "a"\n'
         + "\n".join(f"x{n + 1} = x{n} + x{n}" for n in range(60))
         + "\nfrom(bucket: x60) |> range(start: -1h)", (), (), True),
    ],
)  # fmt: skip
def test_buckets_are_known_by_name_or_id_or_are_told_to_be_unnamed(
    read: str, buckets: tuple[str, ...], ids: tuple[str, ...], is_unnamed: bool
) -> None:
    found = facts(read)
    assert (found.buckets_read, found.bucket_ids_read, found.has_unnamed_reads) == (buckets, ids, is_unnamed)
