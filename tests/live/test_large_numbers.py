"""Integers whose sums need more than 64 bits, and floats whose sums no float holds, in every way of computing them.

The oracle is plain Python: its integers have no end, and fractions are exact.
"""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import AggregateOverflow, WindowsFailed
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from tests.conftest import InfluxServer
from tests.scenes.reconcile_runs import sweep
from tests.scenes.rollup_runs import Place, interval, make_place, roll

pytestmark = pytest.mark.live

FIRST, BOTH = (interval(f"2025-03-08T{a}", f"2025-03-08T{b}") for a, b in (("00", "01"), ("00", "02")))
EPOCH_NS = [1_741_392_000_000_000_000 + n for n in range(8)]
LEAST, MOST = -(2**63), 2**63 - 1
PUSHED, BY_WORKER = ("count", "min", "max", "mean"), ("count", "min", "max", "mean", "p50")
WAYS: dict[str, dict[str, Any]] = {
    "pushed": {"aggregates": PUSHED},
    "mean alone": {"aggregates": ("mean",)},
    "in the worker": {"aggregates": BY_WORKER},
    "in the server": {"aggregates": PUSHED, "compute": "server"},
    "p50 in the server": {"aggregates": BY_WORKER, "compute": "server"},
    "sliding": {"aggregates": PUSHED, "grid": GridSpec("1h", period="2h")},
}


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    return make_place(influx, client)


def write(place: Place, values: list[Any], hour: int = 0, name: str = "v", device: str = "a") -> None:
    """One point a minute; floats, or texts such as ``1u``."""
    lines = [
        f"{place.measurement},device={device} {name}={value if isinstance(value, str) else repr(value)} "
        f"{1741392000_000000000 + hour * 3600 * 10**9 + n * 60 * 10**9}"
        for n, value in enumerate(values)
    ]
    place.client.write_lines(place.source, lines)


def integers(values: list[int], mark: str = "i") -> list[str]:
    return [f"{value}{mark}" for value in values]


def stored(place: Place, measurement: str | None = None) -> dict[str, Any]:
    """The values of the rows of the first hour."""
    rows = place.stored(measurement)
    return {row["_field"]: row["_value"] for row in rows.to_dict("records")}


@pytest.mark.parametrize(
    ("way", "mark"), [*((way, "i") for way in WAYS), ("mean alone", "u"), ("in the worker", "u")]
)
def test_mean_is_right_when_the_sum_of_integers_needs_more_bits(place: Place, way: str, mark: str) -> None:
    write(place, integers(EPOCH_NS, mark))
    spec = place.spec(**{"grid": "1h", **WAYS[way]})
    result = roll(place.client, spec, FIRST)
    found = stored(place)
    assert found["v_mean"] == float(Fraction(sum(EPOCH_NS), len(EPOCH_NS))) == 1.741392e18
    expected = {"v_count": 8, "v_min": min(EPOCH_NS), "v_max": max(EPOCH_NS)}
    assert {name: found[name] for name in expected if name in found} == {
        name: value for name, value in expected.items() if name[2:] in WAYS[way]["aggregates"]
    }
    assert (result["state"], result["rows_in"], result["notes"]) == ("COMMITTED", 8, [])
    assert sweep(place.client, spec, FIRST, mode="plan")["is_clean"]


@pytest.mark.parametrize(
    "more", [{}, {"group_by": ()}, {"group_by": (), "aggregates": ("count", "sum", "p50_approx")}]
)
def test_sum_is_right_when_only_its_parts_need_more_bits(place: Place, more: dict[str, Any]) -> None:
    values = [2**62, 2**62, 2**62, -(2**62), -(2**62), 17]
    write(place, integers(values))
    write(place, integers([2**62, -(2**62), 1]), device="b")
    spec = place.spec(**{"grid": "1h", "aggregates": ("count", "sum"), **more})
    roll(place.client, spec, FIRST)
    rows = place.stored()
    found = sorted(rows[rows["_field"] == "v_sum"]["_value"])
    assert found == ([sum(values) + 1] if more else sorted([sum(values), 1]))


SUMS: dict[str, dict[str, Any]] = {
    "pushed": {},
    "with min and max": {"aggregates": ("sum", "min", "max")},
    "in the worker": {"aggregates": ("sum", "p50")},
    "in the server": {"compute": "server"},
    "sliding": {"grid": GridSpec("1h", period="2h")},
    "merged": {"group_by": ()},
}


@pytest.mark.parametrize("way", SUMS)
def test_sum_is_refused_and_the_rest_goes_on_when_it_needs_more_bits(place: Place, way: str) -> None:
    write(place, integers(EPOCH_NS), hour=2)
    write(place, integers([1, 2, 3]), hour=0)
    write(place, [1.5, 2.5], hour=2, name="temp")
    wanted = {"grid": "1h", "aggregates": ("sum",), **SUMS[way]}
    spec = place.spec(**wanted)
    whole = interval("2025-03-08", "2025-03-08T03")
    with pytest.raises(
        WindowsFailed, match=r"1 of 3 windows failed.*AggregateOverflow: .*'v'.*v_sum"
    ) as caught:
        roll(place.client, spec, whole)
    assert caught.value.permanent
    assert "leave this aggregate of the field out" in str(caught.value)
    found = place.stored()
    values = found[found["_field"] == "v_sum"]["_value"].tolist()
    assert set(values) <= {6}
    # the other field of the window is there
    assert 4.0 in found[found["_field"] == "temp_sum"]["_value"].tolist()
    states = list(place.states().values())
    assert sorted(states) == ["COMMITTED", "COMMITTED", "WRITING"]
    # without the sum of that field all is right
    rules = {"v": ("max",), "*": ("sum",)}
    roll(place.client, replace(spec, aggregates=rules), whole)
    assert set(place.states().values()) == {"COMMITTED"}


@pytest.mark.parametrize("aggregate", ["spread", "increase"])
def test_difference_is_refused_when_it_needs_more_bits(place: Place, aggregate: str) -> None:
    write(place, integers([LEAST, MOST]))
    write(place, integers([0, MOST]), device="b")
    with pytest.raises(AggregateOverflow, match=rf"v_{aggregate} of a series does not fit into the 64 bits"):
        roll(place.client, place.spec("1h", (aggregate,)), FIRST)


def test_differences_are_right_when_64_bits_hold_them(place: Place) -> None:
    write(place, integers([0, 2**64 - 1, 2**63], "u"))
    write(place, integers([-1, MOST - 1]), name="w")
    write(place, integers([LEAST, LEAST + 1, LEAST + 3]), name="x")
    rules = {"v": ("spread", "resets"), "*": ("spread", "increase", "stddev")}
    roll(place.client, place.spec("1h", rules), FIRST)
    found = stored(place)
    assert (found["v_spread"], found["w_spread"], found["x_spread"]) == (2**64 - 1, MOST, 3)
    assert (found["w_increase"], found["x_increase"], found["v_resets"]) == (MOST, 3, 1)
    assert found["x_stddev"] == pytest.approx(statistics.stdev([0, 1, 3]), rel=1e-12)


def test_unsigned_increase_is_refused_when_it_needs_more_bits(place: Place) -> None:
    write(place, integers([0, 2**64 - 1, 2**63], "u"))
    with pytest.raises(AggregateOverflow, match="v_increase"):
        roll(place.client, place.spec("1h", {"v": ("increase",)}), FIRST)


@pytest.mark.parametrize(("compute", "more"), [("auto", ()), ("auto", ("p50",)), ("server", ())])
def test_infinite_sums_are_told_and_means_are_right(
    place: Place, more: tuple[str, ...], compute: str
) -> None:
    write(place, [1e308, 1.5e308, 1.7e308])
    write(place, [1.0, 2.0], hour=1)
    spec = place.spec("1h", ("count", "sum", "mean", *more), compute=compute)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = roll(place.client, spec, BOTH)
    rows = place.stored().to_dict("records")
    found = {(row["_field"], row["_time"] // 3600_000000000 % 24): row["_value"] for row in rows}
    assert ("v_sum", 0) not in found
    assert found["v_sum", 1] == 3.0
    assert found["v_mean", 0] == pytest.approx(1.4e308, rel=1e-12)
    (note,) = result["notes"]
    assert note.startswith("v_sum is left out for some series in 1 windows, such as [2025-03-08T00:00:00Z")
    assert sweep(place.client, spec, BOTH, mode="plan")["is_clean"]


def test_worker_aggregates_of_huge_floats_are_right_or_told(place: Place) -> None:
    values = [-1.7e308, 1.7e308, 1.7e308]
    write(place, values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = roll(
            place.client, place.spec("1h", ("spread", "stddev", "integral", "p50", "p25", "sum")), FIRST
        )
    found = stored(place)
    assert found["v_sum"] == pytest.approx(1.7e308)
    assert (found["v_p50"], found["v_p25"]) == (1.7e308, 0.0)
    # 1.96e308 and 3.4e308 are no floats
    assert not {"v_spread", "v_stddev"} & set(found)
    assert [note.split(" ")[0] for note in result["notes"]] == ["v_integral", "v_spread", "v_stddev"]


def test_stddev_of_huge_floats_is_right_when_a_float_holds_it(place: Place) -> None:
    values = [1e200, 1.5e200, -1e200]
    write(place, values)
    roll(place.client, place.spec("1h", ("stddev",)), FIRST)
    exact = [Fraction(value) for value in values]
    variance = sum((value - sum(exact) / 3) ** 2 for value in exact) / 2
    assert stored(place)["v_stddev"] == pytest.approx(math.isqrt(int(variance)), rel=1e-12)


@pytest.mark.parametrize("mark", ["i", "u"])
def test_tier_is_right_or_refused_when_its_sum_needs_more_bits(place: Place, mark: str) -> None:
    hours = [[3 * 10**18, 3 * 10**18 + 2], [2 * 10**18, 5], [4 * 10**18, 4 * 10**18, 7], [8 * 10**18]]
    for hour, values in enumerate(hours):
        write(place, integers(values, mark), hour=hour)
    below = place.spec("1h", ("count", "sum", "min", "max", "stddev"), pipeline="hours")
    roll(place.client, below, interval("2025-03-08", "2025-03-09"))
    above = replace(
        place.spec("1d", ("count", "mean", "max", "spread"), source_tier="hours", pipeline="days"),
        source_bucket=place.target,
        target_measurement="days",
    )
    day = interval("2025-03-08", "2025-03-09")
    roll(place.client, above, day)
    every = [value for values in hours for value in values]
    assert stored(place, "days")["v_mean"] == pytest.approx(
        float(Fraction(sum(every), len(every))), rel=1e-15
    )
    assert stored(place, "days")["v_spread"] == max(every) - min(every)
    by_rows = replace(above, aggregates=("mean", "stddev"), target_measurement="rows", pipeline="rows")
    roll(place.client, by_rows, day)
    assert stored(place, "rows")["v_mean"] == stored(place, "days")["v_mean"]
    assert stored(place, "rows")["v_stddev"] == pytest.approx(statistics.stdev(every), rel=1e-12)
    sums = replace(above, aggregates=("count", "sum"), target_measurement="sums", pipeline="sums")
    with pytest.raises(AggregateOverflow, match="v_sum"):
        roll(place.client, sums, day)


def test_tier_leaves_out_what_a_part_was_too_large_for(place: Place) -> None:
    write(place, [1.7e308, 1.7e308])
    write(place, [1.0, 2.0], hour=1)
    below = place.spec("1h", ("count", "sum"), pipeline="hours")
    day = interval("2025-03-08", "2025-03-09")
    roll(place.client, below, day)
    above = replace(
        place.spec("1d", ("count", "sum", "mean"), source_tier="hours", pipeline="days"),
        source_bucket=place.target,
        target_measurement="days",
    )
    result = roll(place.client, above, day)
    assert stored(place, "days") == {"v_count": 4}
    assert [note.split(" ")[0] for note in result["notes"]] == ["v_mean", "v_sum"]


def test_pipeline_of_small_integers_reads_no_raw_points(place: Place) -> None:
    write(place, integers([1, 2, 3]))
    told: list[str] = []
    reports: Callable[[str], None] = told.append
    roll(place.client, place.spec("1h", ("count", "sum", "mean")), FIRST, reports)
    assert not any("in the worker" in text for text in told)


def test_reconcile_names_the_window_and_goes_on_when_late_points_are_too_many_bits(place: Place) -> None:
    write(place, integers([2**62]))
    write(place, integers([1]), hour=1)
    spec = place.spec("1h", ("sum", "max"))
    roll(place.client, spec, BOTH)
    write(place, integers([2**62, 2**62]))
    write(place, integers([1, 5]), hour=1)
    result = sweep(place.client, spec, BOTH)
    (failed,) = result["failed"]
    assert "v_sum of a series does not fit into the 64 bits of an integer" in str(failed)
    assert (result["is_clean"], result["failed_total"]) == (False, 1)
    rows = place.stored()
    assert sorted(rows[rows["_field"] == "v_sum"]["_value"]) == [6, 2**62]


def test_deviation_of_large_integers_is_right_when_the_server_computes(place: Place) -> None:
    values = [1_741_392_000_000_000_007, 1_741_392_000_000_000_000, 1_741_392_000_000_000_000]
    write(place, integers(values))
    roll(place.client, place.spec("1h", ("count", "stddev"), compute="server"), FIRST)
    found = stored(place)
    assert found["v_count"] == 3
    assert found["v_stddev"] == pytest.approx(statistics.stdev([7, 0, 0]), rel=1e-12)


def test_tier_leaves_out_an_increase_when_one_below_was_too_large(place: Place) -> None:
    write(place, [-1.7e308, 1.7e308])
    write(place, [1.0, 2.5], hour=1)
    write(place, [1.0, 2.5], device="b")
    below = place.spec("1h", ("increase", "first", "last"), pipeline="hours")
    day = interval("2025-03-08", "2025-03-09")
    roll(place.client, below, day)
    above = replace(
        place.spec("1d", ("increase",), source_tier="hours", pipeline="days"),
        source_bucket=place.target,
        target_measurement="days",
    )
    result = roll(place.client, above, day)
    assert stored(place, "days") == {"v_increase": 1.5}
    assert [note.split(" ")[0] for note in result["notes"]] == ["v_increase"]
