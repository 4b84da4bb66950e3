"""Every aggregate equals pandas: in every kind of window, in every way of computing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from dev import san_francisco
from tests.conftest import InfluxServer
from tests.oracle import Window, local_days, rollup, windows
from tests.scenes.rollup_runs import (
    MERGEABLE,
    PUSHED,
    RAW,
    TAGS,
    WORKER_ONLY,
    Place,
    interval,
    make_place,
    make_points,
    per_field,
    roll,
)

pytestmark = pytest.mark.live

LOS_ANGELES = "America/Los_Angeles"
DST_DAYS = [("2010-03-13", "2010-03-15"), ("2010-11-06", "2010-11-08")]


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    """A day and a half of telemetry, with a point every 15 minutes."""
    return make_points("2025-03-08", "2025-03-09T12:00", 900)


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient, points: pd.DataFrame) -> Place:
    """The telemetry in a bucket; each test takes a target measurement of its own."""
    place = make_place(influx, client)
    place.write(points)
    return place


def check(
    place: Place,
    points: pd.DataFrame,
    spans: Sequence[Window],
    grid: GridSpec,
    names: Sequence[str],
    **more: object,
) -> None:
    """Roll up, and compare all that is stored with pandas."""
    target = f"{grid.label} {sorted(names)} {sorted(more.items())}"
    spec = place.spec(grid, names, target_measurement=target, **more)
    first_stop, last_stop = spans[0][1], spans[-1][1]
    start = first_stop - pd.Timedelta(grid.every) if grid.period else spans[0][0]
    roll(place.client, spec, interval(str(start.tz_localize(None)), str(last_stop.tz_localize(None))))
    group_by = more.get("group_by")
    expected = rollup(points, TAGS, spans, per_field(names), list(group_by) if group_by is not None else None)  # type: ignore[call-overload]
    assert len(expected) > 0
    assert place.differences(expected, target) == []


@pytest.mark.parametrize("compute", ["auto", "server"])
def test_rows_equal_pandas_when_every_aggregate_of_utc_hours_is_asked(
    place: Place, points: pd.DataFrame, compute: str
) -> None:
    spans = windows("2025-03-08", "2025-03-09T12:00", "1h")
    only_worker = WORKER_ONLY if compute == "auto" else ()
    check(place, points, spans, GridSpec("1h"), [*PUSHED, *RAW, *only_worker], compute=compute)


def test_rows_equal_pandas_when_only_pushed_aggregates_are_asked(place: Place, points: pd.DataFrame) -> None:
    spans = windows("2025-03-08", "2025-03-09T12:00", "1h")
    check(place, points, spans, GridSpec("1h"), PUSHED)


def test_rows_equal_pandas_when_no_count_is_stored(place: Place, points: pd.DataFrame) -> None:
    spans = windows("2025-03-08", "2025-03-09T12:00", "1h")
    check(place, points, spans, GridSpec("1h"), ["last", "mean"])


def test_rows_equal_pandas_when_reads_are_cut_to_few_rows(place: Place, points: pd.DataFrame) -> None:
    spans = windows("2025-03-08", "2025-03-09T12:00", "1h")
    check(place, points, spans, GridSpec("1h"), ["p99", "stddev"], max_rows_per_read=300)


@pytest.mark.parametrize("group_by", [("site",), ("site", "note"), ()])
def test_rows_equal_pandas_when_series_are_merged(
    place: Place, points: pd.DataFrame, group_by: tuple[str, ...]
) -> None:
    spans = windows("2025-03-08", "2025-03-09T12:00", "2h")
    check(place, points, spans, GridSpec("2h"), MERGEABLE, group_by=group_by)


@pytest.mark.parametrize("names", [PUSHED, RAW], ids=["from parts", "from raw points"])
def test_rows_equal_pandas_when_windows_slide(
    place: Place, points: pd.DataFrame, names: Sequence[str]
) -> None:
    spans = windows("2025-03-08T02:00", "2025-03-09T12:00", "1h", period="3h")
    check(place, points, spans, GridSpec("1h", period="3h"), names)


def test_rows_equal_pandas_when_windows_slide_over_merged_series(place: Place, points: pd.DataFrame) -> None:
    spans = windows("2025-03-08T02:00", "2025-03-09T12:00", "1h", period="3h")
    check(place, points, spans, GridSpec("1h", period="3h"), MERGEABLE, group_by=("site",))


def test_only_matching_series_are_written_when_tags_are_chosen(place: Place, points: pd.DataFrame) -> None:
    spans = windows("2025-03-08", "2025-03-09T12:00", "1h")
    chosen = points[points["site"].isin(["berlin", "são paulo, west = 1"])]
    tags = {"site": ("berlin", "são paulo, west = 1")}
    spec = place.spec(
        "1h", ["count", "p99"], tags=tags, fields=("temp", "packets"), target_measurement="chosen"
    )
    roll(place.client, spec, interval("2025-03-08", "2025-03-09T12:00"))
    expected = rollup(chosen, TAGS, spans, {"temp": ["count", "p99"], "packets": ["count", "p99"]})
    assert place.differences(expected, "chosen") == []


def test_each_field_has_its_own_aggregates_when_they_are_given_by_glob(
    place: Place, points: pd.DataFrame
) -> None:
    spans = windows("2025-03-08", "2025-03-09T12:00", "1h")
    rules = {"temp": ("mean", "p99"), "*": ("last",)}
    roll(
        place.client,
        place.spec("1h", rules, target_measurement="by glob"),
        interval("2025-03-08", "2025-03-09T12:00"),
    )
    wanted = dict.fromkeys(per_field(["last"]), ("last",)) | {"temp": ("mean", "p99")}
    assert place.differences(rollup(points, TAGS, spans, wanted), "by glob") == []


@pytest.mark.parametrize("compute", ["auto", "server"])
@pytest.mark.parametrize(("first", "last"), DST_DAYS, ids=["23 hours", "25 hours"])
def test_rows_equal_pandas_when_local_days_have_23_or_25_hours(
    influx: InfluxServer, client: InfluxClient, first: str, last: str, compute: str
) -> None:
    spans = local_days(first, last, LOS_ANGELES)
    start, stop = (str(edge.tz_localize(None)) for edge in (spans[0][0], spans[-1][1]))
    points = make_points(start, stop, 1200)
    place = make_place(influx, client)
    place.write(points)
    assert {(stop - start) / pd.Timedelta("1h") for start, stop in spans} - {24.0}
    check(place, points, spans, GridSpec("1d", timezone=LOS_ANGELES), [*PUSHED, *RAW], compute=compute)
    if compute == "auto":
        check(place, points, spans, GridSpec("1d", timezone=LOS_ANGELES), MERGEABLE, group_by=("site",))


@pytest.fixture(scope="module")
def city(influx: InfluxServer, client: InfluxClient) -> tuple[Place, pd.DataFrame]:
    """A real data set: a year of hourly temperatures."""
    place = replace(make_place(influx, client), measurement=san_francisco.MEASUREMENT)
    points = san_francisco.load_points()
    client.write_lines(place.source, san_francisco.encode_lines(points))
    return place, points


def month_starts(timezone: str) -> list[Window]:
    edges = pd.date_range("2010-01-01", "2011-01-01", freq="MS").tz_localize(timezone).tz_convert("UTC")
    return list(pairwise(edges))


def sliding_weeks(timezone: str) -> list[Window]:
    """Windows of seven local days that stop at each midnight."""
    edges = pd.date_range("2010-02-20", "2010-11-30", freq="D").tz_localize(timezone).tz_convert("UTC")
    return list(zip(edges[:-7], edges[7:], strict=True))


@pytest.mark.parametrize(
    ("grid", "spans", "from_first_stop"),
    [
        (GridSpec("1d", timezone=LOS_ANGELES), local_days("2010-01-01", "2010-12-31", LOS_ANGELES), False),
        (GridSpec("1mo", timezone=LOS_ANGELES), month_starts(LOS_ANGELES), False),
        (GridSpec("1d", timezone=LOS_ANGELES, period="7d"), sliding_weeks(LOS_ANGELES), True),
    ],
    ids=["days", "months", "sliding weeks"],
)
@pytest.mark.parametrize("names", [PUSHED, [*PUSHED, *RAW]], ids=["pushed", "all"])
def test_a_year_of_a_real_city_equals_pandas_when_windows_follow_its_clocks(
    city: tuple[Place, pd.DataFrame],
    grid: GridSpec,
    spans: list[Window],
    from_first_stop: bool,
    names: list[str],
) -> None:
    place, points = city
    target = f"{grid.label} {len(names)}"
    start = spans[0][1] if from_first_stop else spans[0][0]
    spans = spans[1:] if from_first_stop else spans
    span = interval(str(start.tz_localize(None)), str(spans[-1][1].tz_localize(None)))
    result = roll(place.client, place.spec(grid, names, target_measurement=target), span)
    expected = rollup(points, san_francisco.TAGS, spans, {san_francisco.FIELD: names})
    assert result["windows"] == len(spans)
    assert place.differences(expected, target) == []
