"""Where a script cuts the windows that it is run for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_influx_rollup.flux.cuts import TimeCut
from airflow_provider_influx_rollup.flux.script import script_facts
from airflow_provider_influx_rollup.lint.parser import parse_flux
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

DAY = Duration.parse("1d")


def cuts(stage: str, before: str = "") -> tuple[TimeCut, ...]:
    text = f'{before}\nfrom(bucket: "a") |> range(start: v.timeRangeStart)\n|> {stage} |> to(bucket: "b")'
    return script_facts(parse_flux(text)).cuts


def window(start: str, stop: str) -> Interval:
    return Interval(*(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, stop)))


@pytest.mark.parametrize(
    ("stage", "found"),
    [
        ("aggregateWindow(every: 1d, fn: sum)", [TimeCut("aggregateWindow", DAY, 3)]),
        ("window(every: v.windowPeriod)", [TimeCut("window", None, 3)]),
        ("aggregateWindow(every: length, fn: sum)", [TimeCut("aggregateWindow", Duration.parse("2h"), 3)]),
        ("aggregateWindow(every: 1d, fn: sum, offset: 4d)", []),
        ('aggregateWindow(every: 1d, fn: sum, location: timezone.location(name: "Asia/Tokyo"))', []),
        ("aggregateWindow(every: 9000y, fn: sum)", []),
        ("aggregateWindow(every: 0s, fn: sum)", []),
        ("aggregateWindow(every: duration(v: 5), fn: sum)", []),
        ("sum()", []),
    ],
)
def test_cuts_are_those_that_only_their_length_decides(stage: str, found: list[TimeCut]) -> None:
    assert list(cuts(stage, "length = 2h")) == found


def test_script_cuts_nothing_of_its_own_when_it_sets_the_location() -> None:
    option = 'import "timezone"\noption location = timezone.location(name: "Europe/Berlin")'
    assert cuts("aggregateWindow(every: 1d, fn: sum)", option) == ()


@pytest.mark.parametrize(
    ("every", "start", "stop", "cut"),
    [
        ("1d", "2025-03-27T23:00", "2025-03-28T23:00", "2025-03-28T00:00"),
        ("1d", "2025-03-27T00:00", "2025-03-28T00:00", None),
        ("1h", "2025-03-27T23:00", "2025-03-28T23:00", None),
        # hours of a clock that is 30 minutes off, and the end of a window that is no cut
        ("1h", "2025-03-27T23:30", "2025-03-28T00:30", "2025-03-28T00:00"),
        ("7h", "1970-01-01T00:00", "1970-01-02T00:00", "1970-01-01T07:00"),
        # parts of a day, each of which the script has for itself
        ("1d", "2025-03-27T05:00", "2025-03-27T06:00", None),
        # Flux counts weeks from a Thursday
        ("1w", "2025-03-03T00:00", "2025-03-10T00:00", "2025-03-06T00:00"),
        ("1mo", "2025-03-01T00:00", "2025-04-01T00:00", None),
        ("1mo", "2025-02-28T23:00", "2025-03-31T22:00", "2025-03-01T00:00"),
        ("3mo", "2025-11-30T23:00", "2026-02-28T23:00", "2026-01-01T00:00"),
        ("1y", "1969-12-31T23:00", "1970-12-31T23:00", "1970-01-01T00:00"),
        (None, "2025-03-27T23:00", "2025-03-28T23:00", "2025-03-28T00:00"),
    ],
)
def test_window_is_cut_where_flux_counts_from_1970(
    every: str | None, start: str, stop: str, cut: str | None
) -> None:
    length = None if every is None else Duration.parse(every)
    found = TimeCut("aggregateWindow", length, 1).inside(window(start, stop), DAY)
    assert found == (None if cut is None else datetime.fromisoformat(cut).replace(tzinfo=UTC))
