"""A series is a tag set: what the server holds under several keys is one series, in the source and in the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError, ReceiptMissing
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile import block_size as reconcile_blocks
from tests.conftest import InfluxServer
from tests.oracle import compare, local_days, rollup, windows
from tests.scenes.reconcile_runs import reasons_of, sweep, sweep_tiers
from tests.scenes.rollup_runs import Place, interval, make_place, roll
from tests.scenes.series_keys import frame_of, minutes, write_in_order

pytestmark = pytest.mark.live

TAGS = {"host": "a", "site": "x"}
SORTED, TURNED = ("host", "site"), ("site", "host")
HALVES = windows("2025-03-08", "2025-03-08T01:00", "30min")
HOUR = interval("2025-03-08", "2025-03-08T01:00")
PUSHED = ("count", "sum", "min", "max", "mean", "first", "last")
RAW = ("median", "stddev", "spread", "distinct", "integral", "p50", "p99")
IN_WORKER = ("increase", "resets")
MERGED = ("count", "sum", "min", "max", "first", "last")
# every way in which a field is computed
WAYS: Mapping[str, tuple[Sequence[str], Mapping[str, Any]]] = {
    "pushed": (PUSHED, {}),
    "pushed, no count asked for": (("mean", "first"), {}),
    "worker": ((*PUSHED, *RAW, *IN_WORKER), {}),
    "worker, small reads": ((*PUSHED, *RAW, *IN_WORKER), {"max_rows_per_read": 4}),
    "pushed, small reads": (PUSHED, {"max_rows_per_read": 4}),
    "server": (PUSHED, {"compute": "server"}),
    "server, raw": ((*PUSHED, *RAW), {"compute": "server", "max_rows_per_read": 9}),
    "merged": (MERGED, {"group_by": ("host",)}),
    "merged away": (MERGED, {"group_by": ()}),
}
APART = [(minutes("2025-03-08T00:00", [float(n) for n in range(10)]), SORTED),
         (minutes("2025-03-08T00:10", [110.0 + n for n in range(10)]), TURNED)]  # fmt: skip
# points of one time in both keys, the smaller value now in this key and now in that one
TIED = [(minutes("2025-03-08T00:30", [float(n) for n in (5, 1, 4, 0, 7)]), SORTED),
        (minutes("2025-03-08T00:30", [float(n) for n in (2, 3, 6, 8, 1)]), TURNED)]  # fmt: skip


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    return make_place(influx, client)


def fill(place: Place, parts: Sequence[tuple[list[tuple[pd.Timestamp, Any]], Sequence[str]]]) -> pd.DataFrame:
    """Write one tag set under its keys, and a normal series beside it."""
    other = minutes("2025-03-08T00:00", [0.5, 1.5, 1.25])
    write_in_order(place, place.source, SORTED, {"host": "b", "site": "x"}, "v", other)
    frames = [frame_of(other, {"host": "b", "site": "x"}, "v")]
    for points, order in parts:
        write_in_order(place, place.source, order, TAGS, "v", points)
        frames.append(frame_of(points, TAGS, "v"))
    return pd.concat(frames, ignore_index=True)


def expected(points: pd.DataFrame, spans: Any, names: Sequence[str], group_by: Any = None) -> pd.DataFrame:
    return rollup(points, ["host", "site"], spans, {"v": names}, None if group_by is None else list(group_by))


@pytest.mark.parametrize("way", WAYS)
def test_all_points_of_a_tag_set_count_when_it_has_two_keys(place: Place, way: str) -> None:
    names, options = WAYS[way]
    points = fill(place, [*APART, *TIED])
    spec = place.spec("30m", names, **options)
    result = roll(place.client, spec, HOUR)
    wanted = expected(points, HALVES, names, options.get("group_by"))
    assert place.differences(wanted) == []
    assert (result["rows_in"], result["rows_out"]) == (len(points), len(wanted))
    assert place.count_series_keys() == len(wanted)
    for strict in (None, True):
        assert sweep(place.client, spec, HOUR, strict=strict)["dirty"] == []


@pytest.mark.parametrize("compute", ["auto", "server"])
@pytest.mark.parametrize("names", [PUSHED, (*PUSHED, "p50")], ids=["pushed", "raw"])
def test_stale_rows_under_another_key_go_when_windows_are_rolled_up(
    place: Place, compute: str, names: Sequence[str]
) -> None:
    points = fill(place, APART)
    stale = [(pd.Timestamp("2025-03-08", tz="UTC"), 7)]
    write_in_order(place, place.target, TURNED, TAGS, "v_count", stale)
    spec = place.spec("30m", names, compute=compute)
    wanted = expected(points, HALVES, names)
    for _ in range(2):
        result = roll(place.client, spec, HOUR)
        assert place.differences(wanted) == []
        assert (place.count_series_keys(), result["rows_out"]) == (len(wanted), len(wanted))
    write_in_order(place, place.target, TURNED, TAGS, "v_last", minutes("2025-03-08", [0.25]))
    plan = sweep(place.client, spec, HOUR, mode="plan")
    assert reasons_of(plan) == {"00:00": ["altered row"]}
    assert sweep(place.client, spec, HOUR)["is_clean"]
    assert place.differences(wanted) == []
    assert place.count_series_keys() == len(wanted)


@pytest.mark.parametrize("strict", [None, True])
def test_a_window_is_dirty_when_it_holds_the_half_of_one_key(place: Place, strict: bool | None) -> None:
    """What a rollup stored before it took the keys together."""
    points = fill(place, APART)
    spec = place.spec("30m", PUSHED)
    roll(place.client, spec, HOUR)
    half = "v_count=10i,v_sum=1145,v_min=110,v_max=119,v_mean=114.5,v_first=110,v_last=119"
    place.client.write_lines(place.target, [f"{place.measurement},host=a,site=x {half} {HOUR.start_ns}"])
    assert list(reasons_of(sweep(place.client, spec, HOUR, mode="plan", strict=strict))) == ["00:00"]
    assert sweep(place.client, spec, HOUR, strict=strict)["is_clean"]
    assert place.differences(expected(points, HALVES, PUSHED)) == []


def test_values_of_others_stay_when_rows_under_another_key_go(place: Place) -> None:
    points = fill(place, APART)
    note = [(pd.Timestamp("2025-03-08", tz="UTC"), "mind the gap")]
    write_in_order(place, place.target, TURNED, TAGS, "v_note", note)
    write_in_order(place, place.target, TURNED, TAGS, "v_count", [(note[0][0], 7)])
    roll(place.client, place.spec("30m", ("count",)), HOUR)
    kept = expected(points, HALVES, ("count",))
    other = kept[(kept["host"] == "a")].head(1).assign(_field="v_note", _value="mind the gap", type="string")
    assert place.differences(pd.concat([kept, other], ignore_index=True)) == []


def test_nothing_is_deleted_when_a_value_of_others_has_two_keys(place: Place) -> None:
    fill(place, APART)
    moment = pd.Timestamp("2025-03-08", tz="UTC")
    write_in_order(place, place.target, TURNED, TAGS, "v_note", [(moment, "one")])
    write_in_order(place, place.target, SORTED, TAGS, "v_note", [(moment, "two")])
    write_in_order(place, place.target, TURNED, TAGS, "v_count", [(moment, 7)])
    with pytest.raises(InfluxRollupError, match=r"'v_note' of host=a, site=x .* two series keys"):
        roll(place.client, place.spec("30m", ("count",)), HOUR)
    notes = [row for row in place.stored().to_dict("records") if row["_field"] == "v_note"]
    assert sorted(row["_value"] for row in notes) == ["one", "two"]


def test_mirrored_keys_are_dirty_when_target_and_source_have_them_alike(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key by key the target equals the source, and is wrong."""
    monkeypatch.setattr(reconcile_blocks, "MAX_WINDOWS_PER_BLOCK", 8)
    points = fill(place, [(minutes("2025-03-08", [1.0] * 3), SORTED), (minutes("2025-03-08T00:30", [2.0]), SORTED),
                          (minutes("2025-03-08T00:10", [3.0] * 2), TURNED)])  # fmt: skip
    spec = place.spec("1m", ("count",))
    roll(place.client, spec, HOUR)
    wanted = expected(points, windows("2025-03-08", "2025-03-08T01:00", "1min"), ("count",))
    assert place.differences(wanted) == []
    write_in_order(place, place.source, TURNED, TAGS, "v", minutes("2025-03-08T00:30", [5.0]))
    moment = pd.Timestamp("2025-03-08T00:30", tz="UTC")
    write_in_order(place, place.target, TURNED, TAGS, "v_count", [(moment, 1)])
    assert sorted(reasons_of(sweep(place.client, spec, HOUR, mode="plan"))) == ["00:30"]
    sweep(place.client, spec, HOUR)
    both = pd.concat([points, frame_of([(moment, 5.0)], TAGS, "v")])
    assert (
        place.differences(expected(both, windows("2025-03-08", "2025-03-08T01:00", "1min"), ("count",))) == []
    )


SLIDING = ("count", "sum", "min", "max", "mean", "first", "last")


@pytest.mark.parametrize("names", [SLIDING, (*SLIDING, "p50", "integral")], ids=["parts", "raw"])
def test_sliding_windows_hold_all_points_when_a_tag_set_has_two_keys(
    place: Place, names: Sequence[str]
) -> None:
    points = fill(place, [*APART, *TIED])
    spec = place.spec(GridSpec("15m", period="30m"), names)
    result = roll(place.client, spec, HOUR)
    spans = windows("2025-03-08", "2025-03-08T01:00", "15min", "30min")
    wanted = expected(points, spans, names)
    assert place.differences(wanted) == []
    assert result["rows_out"] == place.count_series_keys() == len(wanted)
    assert sweep(place.client, spec, HOUR)["dirty"] == []


@pytest.mark.parametrize("compute", ["auto", "server"])
def test_local_days_hold_all_points_when_a_tag_set_has_three_keys(place: Place, compute: str) -> None:
    tags = {"host": "a", "rack": "r 1", "site": "x"}
    orders = (("host", "rack", "site"), ("site", "rack", "host"), ("rack", "site", "host"))
    frames = []
    for number, order in enumerate(orders):
        times = pd.date_range("2025-03-29", periods=30, freq="97min", tz="UTC") + pd.Timedelta(minutes=number)
        points = [(moment, number + 0.25 * place_) for place_, moment in enumerate(times)]
        write_in_order(place, place.source, order, tags, "v", points)
        frames.append(frame_of(points, tags, "v"))
    spec = place.spec(GridSpec("1d", timezone="Europe/Berlin"), (*PUSHED, "stddev"), compute=compute)
    roll(place.client, spec, interval("2025-03-28T23:00", "2025-03-30T22:00"))
    spans = local_days("2025-03-29", "2025-03-30", "Europe/Berlin")
    wanted = rollup(pd.concat(frames), ["host", "rack", "site"], spans, {"v": (*PUSHED, "stddev")})
    assert place.differences(wanted) == []


KINDS = {
    "bool": ([True, False, True], [False, True], ("count", "first", "last", "distinct")),
    "text": (["b", "ä", "c"], ["a", "z"], ("count", "first", "last", "distinct")),
    "int": ([2**60, 5, -3], [7, 2**53 + 1], ("count", "sum", "min", "max", "first", "last", "increase")),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("compute", ["auto", "server"])
def test_every_type_is_right_when_a_tag_set_has_two_keys(place: Place, kind: str, compute: str) -> None:
    one, other, names = KINDS[kind]
    if compute == "server":
        names = tuple(name for name in names if name != "increase")
    frames = []
    for values, order in ((one, SORTED), (other, TURNED)):
        some = minutes("2025-03-08", values)
        write_in_order(place, place.source, order, TAGS, "w", some)
        frames.append(frame_of(some, TAGS, "w"))
    points = pd.concat(frames)
    roll(place.client, place.spec("1h", {"w": names}, compute=compute), HOUR)
    wanted = rollup(points, ["host", "site"], windows("2025-03-08", "2025-03-08T01:00", "1h"), {"w": names})
    assert place.differences(wanted) == []


def tiers(place: Place, names: Sequence[str]) -> tuple[RollupSpec, RollupSpec]:
    """Half hours, and hours made of them."""
    low = place.spec("30m", names, pipeline="half")
    top = f"{place.target}_top"
    place.client.ensure_bucket(top)
    high = replace(
        low,
        source_bucket=place.target,
        target_bucket=top,
        grid=GridSpec("1h"),
        pipeline="hour",
        source_tier="half",
    )
    return low, high


TIER_NAMES = {"parts": ("count", "sum", "min", "max", "mean", "first", "last"),
              "rows": ("count", "sum", "first", "last", "stddev", "increase")}  # fmt: skip


@pytest.mark.parametrize("names", TIER_NAMES.values(), ids=TIER_NAMES)
def test_a_tier_takes_no_row_in_silence_when_the_tier_below_has_two(
    place: Place, names: Sequence[str]
) -> None:
    late = [(moment + pd.Timedelta(minutes=40), value) for moment, value in APART[1][0]]
    points = fill(place, [*APART, (late, TURNED)])
    low, high = tiers(place, names)
    roll(place.client, low, HOUR)
    wanted = expected(points, windows("2025-03-08", "2025-03-08T01:00", "1h"), names)
    roll(place.client, high, HOUR)
    assert compare(place.stored(bucket=high.target_bucket), wanted) == []
    write_in_order(place, place.target, TURNED, TAGS, "v_count", [(pd.Timestamp("2025-03-08", tz="UTC"), 7)])
    plan = sweep(place.client, high, HOUR, mode="plan")
    assert [left["window"] for left in plan["waiting"]] == [HOUR.as_json()]
    with pytest.raises(ReceiptMissing, match=r"'half' has two rows with 'v_count' of host=a, site=x"):
        roll(place.client, high, HOUR)
    result = sweep_tiers(place.client, low, HOUR)
    assert result["is_clean"]
    assert result["cascaded"][0]["is_clean"]
    assert compare(place.stored(bucket=high.target_bucket), wanted) == []
    assert place.differences(expected(points, HALVES, names)) == []


@pytest.mark.parametrize("names", TIER_NAMES.values(), ids=TIER_NAMES)
def test_a_tier_is_right_when_rows_of_the_tier_below_lie_under_another_key(
    place: Place, names: Sequence[str]
) -> None:
    """Such as rows that a script copied with ``to()``."""
    late = [(moment + pd.Timedelta(minutes=40), value) for moment, value in APART[1][0]]
    points = fill(place, [*APART, (late, TURNED)])
    low, high = tiers(place, names)
    roll(place.client, low, HOUR)
    moment = HALVES[1][0]
    rows = [
        r
        for r in place.stored().to_dict("records")
        if r["host"] == "a" and r["_time"] == moment.as_unit("ns").value
    ]
    half = interval("2025-03-08T00:30", "2025-03-08T01:00")
    place.client.delete(place.target, half, f'_measurement="{place.measurement}" AND "host"="a"')
    for row in rows:
        write_in_order(place, place.target, TURNED, TAGS, row["_field"], [(moment, row["_value"])])
    roll(place.client, high, HOUR)
    wanted = expected(points, windows("2025-03-08", "2025-03-08T01:00", "1h"), names)
    assert compare(place.stored(bucket=high.target_bucket), wanted) == []
    assert sweep(place.client, low, HOUR)["dirty"] == []


@pytest.mark.parametrize("compute", ["auto", "server"])
def test_series_with_one_key_keep_their_bits_when_they_share_tags_with_doubled_ones(
    place: Place, compute: str
) -> None:
    frames = []
    for number, (host, site) in enumerate([("a", "x"), ("b", "y"), ("a", "y"), ("b", "x")]):
        tags = {"host": host, "site": site}
        for start, order in (("2025-03-08", SORTED), ("2025-03-08T00:00:30", TURNED)):
            if order == TURNED and host + site in ("ay", "bx"):
                continue
            points = minutes(start, [(-1) ** n * 0.1 * (number + 1) ** n for n in range(25)])
            write_in_order(place, place.source, order, tags, "v", points)
            frames.append(frame_of(points, tags, "v"))
    spec = place.spec("30m", ("sum", "mean"), compute=compute)
    roll(place.client, spec, HOUR)
    assert place.differences(expected(pd.concat(frames), HALVES, ("sum", "mean"))) == []
    assert sweep(place.client, spec, HOUR, mode="plan", strict=True)["dirty"] == []
