"""Shares and quantiles of latenesses that are only known to lie between two bounds."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.lifecycle.lateness.distribution import (
    Distribution,
    LatenessBounds,
    Sample,
    rounded_down,
    rounded_up,
    settings_of,
)
from airflow_provider_influx_rollup.lifecycle.lateness.result import LatenessReport, LatenessRow
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval

SECONDS = st.floats(0, 1e6)
SHARES = st.fractions(Fraction(1, 1000), 1)
P99 = Fraction(99, 100)


@st.composite
def truths(draw: st.DrawFn) -> tuple[list[Sample], list[float]]:
    """Samples, and the latenesses that their points really have."""
    samples, truth = [], []
    for _ in range(draw(st.integers(1, 8))):
        low, high = sorted((draw(SECONDS), draw(SECONDS)))
        points = draw(st.integers(1, 50))
        samples.append(Sample(points, low, high, is_late=draw(st.booleans())))
        truth += [low + draw(st.floats(0, 1)) * (high - low) for _ in range(points)]
    return samples, sorted(min(max(value, 0.0), 1e6) for value in truth)


@given(truths(), SHARES, SECONDS)
def test_bounds_enclose_the_truth_when_samples_do(
    case: tuple[list[Sample], list[float]], share: Fraction, seconds: float
) -> None:
    samples, truth = case
    found = Distribution.of(samples)
    bounds = found.quantile(share)
    # a rounded product may leave its interval by the last digit
    nearly = 1e-6
    assert bounds.at_least - nearly <= truth[ceil(share * len(truth)) - 1] <= bounds.at_most + nearly
    surely, perhaps = found.caught(seconds)
    assert surely <= sum(value <= seconds + nearly for value in truth) / len(truth)
    assert sum(value <= seconds - nearly for value in truth) / len(truth) <= perhaps
    assert found.points == len(truth)


@given(st.floats(0, 1e8))
def test_durations_are_rounded_outwards_when_people_read_them(seconds: float) -> None:
    low, high = (d.timedelta.total_seconds() for d in (rounded_down(seconds), rounded_up(seconds)))
    assert low <= seconds <= high
    assert high - low in (0, 1, 60, 3600)


@pytest.mark.parametrize(
    ("seconds", "down", "up"),
    [
        (0, "0s", "0s"),
        (59.2, "59s", "1m"),
        (601, "10m", "11m"),
        (3601, "1h", "1h1m"),
        (200_000, "2d7h", "2d8h"),
    ],
)
def test_durations_are_those_people_write(seconds: float, down: str, up: str) -> None:
    assert LatenessBounds(seconds, seconds).as_json() == {"at_least": down, "at_most": up}


def samples(on_time: int, late: int, at_most: float = 7200.0) -> Distribution:
    return Distribution.of([Sample(on_time, 0.0, 630.0, False), Sample(late, 3600.0, at_most, True)])


@pytest.mark.parametrize(
    ("on_time", "late", "present", "verdict", "recommended"),
    [
        pytest.param(1000, 0, "10m", "enough", "10m", id="none late"),
        pytest.param(990, 10, "10m", "enough", "10m", id="just enough"),
        pytest.param(989, 11, "10m", "raise", "2h", id="just too many"),
        pytest.param(500, 500, "2h", "enough", "2h", id="raised since"),
        pytest.param(0, 10, "0s", "raise", "2h", id="all late"),
    ],
)
def test_setting_is_raised_when_it_does_not_catch_the_share(
    on_time: int, late: int, present: str, verdict: str, recommended: str
) -> None:
    (found,) = settings_of(samples(on_time, late), Duration.parse(present, allow_zero=True), [P99])
    assert (found.verdict, found.recommended.to_flux()) == (verdict, recommended)


def row(distribution: Distribution, pipeline: str = "p") -> LatenessRow:
    return LatenessRow(
        pipeline=pipeline,
        measurement="m",
        group=(("site", "a"),),
        windows=3,
        present=Duration.parse("10m"),
        distribution=distribution,
    )


def test_json_says_what_was_found_when_some_points_were_late() -> None:
    found = row(samples(900, 100)).as_json()
    assert (found["points"], found["late_points"], found["late_share"]) == (1000, 100, 0.1)
    assert (found["tags"], found["windows"], found["lateness"]) == ({"site": "a"}, 3, "10m")
    assert found["late"] == {name: {"at_least": "1h", "at_most": "2h"} for name in ("50%", "90%", "100%")}
    assert found["settings"]["99.9%"] == {
        "at_least": "1h",
        "at_most": "2h",
        "present": "10m",
        "recommended": "2h",
        "verdict": "raise",
    }
    caught = {step["lateness"]: (step["surely"], step["perhaps"]) for step in found["caught"]}
    assert list(caught)[-1] == "3h"
    assert caught["5m"] == (0.0, 0.9)
    assert caught["30m"] == (0.9, 0.9)
    assert caught["1h"] == (0.9, 1.0)
    assert caught["3h"] == (1.0, 1.0)


def test_json_stays_small_when_there_are_many_groups() -> None:
    interval = Interval(EPOCH, EPOCH.replace(year=1971))
    report = LatenessReport(interval, [row(samples(9, 1), f"p{n}") for n in range(60)], 4, ["note"])
    found = report.as_json()
    assert (len(found["rows"]), found["rows_left_out"], found["unwatched_windows"]) == (50, 10, 4)
    assert len(report.as_lines()) == 180
    assert report.as_lines()[0] == (
        "p0 site=a: 1 of 10 points (10.000%) came after the first commit of their window (lateness=10m)"
    )
    assert report.as_lines()[1] == "  99%: between 1h and 2h; set lateness=2h"


def test_points_of_unknown_series_are_said_to_be_so() -> None:
    unknown = LatenessRow(
        pipeline="p",
        measurement="m",
        group=None,
        windows=1,
        present=Duration.parse("1m"),
        distribution=samples(0, 2),
    )
    assert unknown.label == "p (series unknown)"
    assert unknown.as_json()["tags"] is None
