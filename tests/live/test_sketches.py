"""Percentiles and distinct counts from sketches, on a real server: near the exact ones, and the same up the tiers."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from datasketches import hll_sketch

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import AggregateTypeMismatch, ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from tests.conftest import InfluxServer
from tests.oracle import COLUMNS, compare, rollup, windows
from tests.scenes.rollup_runs import FIELDS, NUMBERS, TAGS, Place, interval, make_place, make_points, roll

pytestmark = pytest.mark.live

ENDS = ("2025-03-08", "2025-03-08T04:00")
SPAN = interval(*ENDS)
SHARES = {"p50_approx": "p50", "p99_approx": "p99"}
SKETCHED = (*SHARES, "distinct_approx")
RULES = {field: ("count", *SKETCHED) if field in NUMBERS else ("distinct_approx",) for field in FIELDS}
MAX_CHARACTERS = 64 * 1024


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    """Four hours of telemetry with a point every 40 seconds."""
    return make_points(*ENDS, 40)


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient, points: pd.DataFrame) -> Place:
    place = make_place(influx, client)
    place.write(points)
    return place


def rows_of(table: pd.DataFrame, suffix: str) -> dict[tuple[Any, ...], Any]:
    """Values of all fields with a suffix, by series, time and field."""
    chosen = table[table["_field"].str.endswith(f"_{suffix}")]
    keys = zip(*(chosen[tag].fillna("") for tag in TAGS if tag in chosen), chosen["_time"], strict=True)
    fields = chosen["_field"].str.removesuffix(f"_{suffix}")
    return {(*key, name): value for key, name, value in zip(keys, fields, chosen["_value"], strict=True)}


def assert_near(
    stored: pd.DataFrame,
    points: pd.DataFrame,
    spans: Sequence[tuple[pd.Timestamp, pd.Timestamp]],
    group_by: list[str] | None = None,
) -> None:
    """Every number from a sketch is there, and within its bound of pandas."""
    asked = {field: ["min", "max", *SHARES.values(), "distinct"] for field in NUMBERS}
    asked |= {field: ["distinct"] for field in FIELDS if field not in NUMBERS}
    exact = rollup(points, TAGS, spans, asked, group_by)
    lows, highs = rows_of(exact, "min"), rows_of(exact, "max")
    for approximate, name in SHARES.items():
        found, wanted = rows_of(stored, approximate), rows_of(exact, name)
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            # neighbours of opposite signs are both off by one percent
            size = abs(value) if lows[key] * highs[key] > 0 else max(abs(lows[key]), abs(highs[key]))
            assert abs(found[key] - value) <= 0.01 * size
    found, wanted = rows_of(stored, "distinct_approx"), rows_of(exact, "distinct")
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert found[key] == value if value <= 384 else abs(found[key] / value - 1) < 0.05


@pytest.fixture(scope="module")
def five_minutes(place: Place) -> RollupSpec:
    """The first tier, rolled up."""
    spec = place.spec("5m", RULES, target_measurement="5m", pipeline="5m")
    roll(place.client, spec, SPAN)
    return spec


def test_numbers_are_within_the_bound_when_five_minutes_are_rolled_up(
    place: Place, points: pd.DataFrame, five_minutes: RollupSpec
) -> None:
    stored = place.stored("5m")
    assert_near(stored, points, windows(*ENDS, "5min"))
    texts = [value for value in stored["_value"] if isinstance(value, str)]
    names = {name.rpartition("_")[0] for name in stored["_field"] if name.endswith("_sketch")}
    assert names == {f"{f}_distinct" for f in FIELDS} | {f"{f}_quantile" for f in NUMBERS}
    assert max(map(len, texts)) < MAX_CHARACTERS
    sketches = rows_of(stored, "distinct_sketch")
    for key, count in rows_of(stored, "distinct_approx").items():
        assert round(hll_sketch.deserialize(b64decode(sketches[key])).get_estimate()) == count


def test_rows_are_the_same_when_the_points_are_read_in_other_pieces(
    place: Place, five_minutes: RollupSpec
) -> None:
    before = place.stored("5m")
    first = roll(place.client, five_minutes, SPAN)
    again = roll(place.client, replace(five_minutes, max_rows_per_read=1_500), SPAN)
    assert again["checksum"] == first["checksum"]
    assert compare(place.stored("5m"), before) == []


def test_tiers_equal_the_direct_rollup_when_sketches_are_merged(
    place: Place, points: pd.DataFrame, five_minutes: RollupSpec
) -> None:
    below = five_minutes
    for every in ("1h", "4h"):
        direct = place.spec(every, RULES, target_measurement=f"direct {every}")
        roll(place.client, direct, SPAN)
        assert_near(place.stored(f"direct {every}"), points, windows(*ENDS, every))
        tier = replace(
            below,
            source_bucket=place.target,
            measurement=below.output_measurement,
            grid=GridSpec(every),
            target_measurement=every,
            pipeline=every,
            source_tier=below.pipeline_name,
        )
        roll(place.client, tier, SPAN)
        # texts too: a merge is the same bytes
        assert compare(place.stored(every), place.stored(f"direct {every}")) == []
        below = tier


def test_series_merge_when_rows_are_grouped(place: Place, points: pd.DataFrame) -> None:
    for kept in ([], ["site"]):
        spec = place.spec("1h", RULES, target_measurement=f"by {kept}", group_by=tuple(kept))
        roll(place.client, spec, SPAN)
        stored = place.stored(spec.output_measurement)
        assert set(stored.columns) == {*kept, *COLUMNS}
        assert_near(stored, points, windows(*ENDS, "1h"), kept)
        counts = rollup(points, TAGS, windows(*ENDS, "1h"), {field: ["count"] for field in NUMBERS}, kept)
        assert compare(stored[stored["_field"].str.endswith("_count")], counts) == []


def test_sketches_stay_when_another_pipeline_writes_exact_ones_beside_them(
    influx: InfluxServer, client: InfluxClient
) -> None:
    place = make_place(influx, client)
    points = make_points("2025-03-08", "2025-03-08T02:00", 60)
    place.write(points)
    span = interval("2025-03-08", "2025-03-08T02:00")
    sketched = place.spec("1h", dict.fromkeys(NUMBERS, SKETCHED), pipeline="sketched")
    exact = place.spec("1h", {"*": ("p50", "p99", "distinct")}, pipeline="exact")
    roll(client, sketched, span)
    before = place.stored()
    roll(client, exact, span)
    # a series that is gone is a ghost of each of them; deleting its point takes the other's values along
    client.delete(place.source, span, f'_measurement="{place.measurement}" AND "device"="a-1"')
    roll(client, exact, span)
    after = place.stored()
    assert "p99" in set(after["_field"].str.rpartition("_")[2])
    assert compare(after[after["_field"].isin(set(before["_field"]))], before) == []
    roll(client, sketched, span)
    assert "a-1" not in set(place.stored()["device"])


def test_run_fails_before_it_writes_when_the_library_is_not_installed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_influx_rollup.aggregates.extras.find_spec", lambda _name: None)
    spec = place.spec("1h", {"temp": ("distinct_approx",)}, target_measurement="nothing")
    with pytest.raises(ConfigurationError, match=r"airflow-provider-influx-rollup\[sketches\]"):
        roll(place.client, spec, SPAN)
    assert place.stored("nothing").empty
    assert spec.pipeline_name not in str(place.states())
    percentiles = replace(spec, aggregates={"temp": ("p99_approx",)})
    roll(place.client, percentiles, SPAN)
    assert set(place.stored("nothing")["_field"]) == {"temp_p99_approx", "temp_quantile_sketch"}


def test_types_are_refused_when_a_percentile_of_a_text_is_asked(place: Place) -> None:
    spec = place.spec("1h", {"state": ("p99_approx",)}, target_measurement="never")
    with pytest.raises(AggregateTypeMismatch, match="p99_approx"):
        roll(place.client, spec, SPAN)
    assert place.stored("never").empty
