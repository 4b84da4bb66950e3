"""Rows that the source no longer explains go, whatever changed; nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.steps.influx import Report
from tests.conftest import InfluxServer
from tests.oracle import compare, rollup, windows
from tests.scenes.rollup_runs import RUN, TAGS, Place, interval, make_place, make_points, now, roll, writes_to

pytestmark = pytest.mark.live

SPAN = interval("2025-03-08", "2025-03-08T03:00")
HOURS = windows("2025-03-08", "2025-03-08T03:00", "1h")
NAMES = ("count", "mean", "last")
FIELDS = ("temp", "packets")
RULES = dict.fromkeys(FIELDS, NAMES)
# one that InfluxDB computes, one that the worker computes
WAYS = {"pushed": RULES, "worker": dict.fromkeys(FIELDS, ("count", "p99"))}


@pytest.fixture
def points() -> pd.DataFrame:
    return make_points("2025-03-08", "2025-03-08T03:00", 600)


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient, points: pd.DataFrame) -> Place:
    place = make_place(influx, client)
    place.write(points, FIELDS)
    return place


def drop_from_source(
    place: Place, points: pd.DataFrame, device: str, fields: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Delete a device from the source; with fields, only these of them."""
    predicate = f'_measurement="{place.measurement}" AND "device"="{device}"'
    place.client.delete(place.source, interval("2025-03-01", "2025-04-01"), predicate)
    if not fields:
        return points[points["device"] != device]
    left = points.copy()
    for field in fields:
        left.loc[left["device"] == device, field] = pd.NA
    kept = [field for field in FIELDS if field not in fields]
    place.write(left[left["device"] == device], kept)
    return left


@pytest.mark.parametrize("way", WAYS)
def test_rows_go_when_a_series_left_the_source(place: Place, points: pd.DataFrame, way: str) -> None:
    spec = place.spec("1h", WAYS[way])
    roll(place.client, spec, SPAN)
    left = drop_from_source(place, points, "a-1")
    roll(place.client, spec, SPAN)
    assert place.differences(rollup(left, TAGS, HOURS, WAYS[way])) == []


@pytest.mark.parametrize("way", WAYS)
def test_one_field_goes_when_it_left_one_series(place: Place, points: pd.DataFrame, way: str) -> None:
    spec = place.spec("1h", WAYS[way])
    roll(place.client, spec, SPAN)
    left = drop_from_source(place, points, "a-2", ("packets",))
    roll(place.client, spec, SPAN)
    expected = rollup(left, TAGS, HOURS, WAYS[way])
    assert any(expected["device"] == "a-2")
    assert place.differences(expected) == []


def test_all_rows_go_when_the_source_became_empty(place: Place) -> None:
    spec = place.spec("1h", RULES)
    roll(place.client, spec, SPAN)
    place.client.delete(place.source, SPAN, f'_measurement="{place.measurement}"')
    result = roll(place.client, spec, SPAN)
    assert (result["rows_in"], result["rows_out"], result["state"]) == (0, 0, "COMMITTED")
    assert len(place.stored()) == 0


def test_only_the_rerun_window_changes_when_one_window_lost_a_series(
    place: Place, points: pd.DataFrame
) -> None:
    spec = place.spec("1h", RULES)
    roll(place.client, spec, SPAN)
    before = place.stored()
    drop_from_source(place, points, "a-1")
    roll(place.client, spec, interval("2025-03-08T01:00", "2025-03-08T02:00"))
    second_hour = HOURS[1][0].as_unit("ns").value
    gone = (before["device"] == "a-1") & (before["_time"] == second_hour)
    assert gone.any()
    assert compare(place.stored(), before[~gone]) == []


@pytest.mark.parametrize("group_by", [None, ("device", "site")], ids=["series", "merged"])
def test_rows_of_the_old_filter_go_when_it_was_narrowed(
    place: Place, points: pd.DataFrame, group_by: tuple[str, ...] | None
) -> None:
    rules = dict.fromkeys(FIELDS, ("count", "last"))
    wide = place.spec("1h", rules, pipeline="mine", group_by=group_by, tags={"site": ("berlin", "nairobi")})
    roll(place.client, wide, SPAN)
    narrow = place.spec("1h", rules, pipeline="mine", group_by=group_by, tags={"site": ("nairobi",)})
    result = roll(place.client, narrow, SPAN)
    kept = points[points["site"] == "nairobi"]
    expected = rollup(kept, TAGS, HOURS, rules, list(group_by) if group_by else None)
    assert place.differences(expected) == []
    assert any("earlier version of the spec" in note for note in result["notes"])


def test_rows_of_the_old_filter_go_when_the_narrowed_run_had_died(place: Place, points: pd.DataFrame) -> None:
    roll(place.client, place.spec("1h", RULES, pipeline="mine"), SPAN)
    narrow = place.spec("1h", RULES, pipeline="mine", tags={"site": ("nairobi",)})
    steps = roll_up(narrow, SPAN, RUN, now)
    step = next(steps)
    while not writes_to(step, place.target):
        step = steps.send(None if isinstance(step, Report) else act(step, place.client))
    steps.close()
    assert set(place.states().values()) == {"WRITING"}
    roll(place.client, narrow, SPAN)
    assert place.differences(rollup(points[points["site"] == "nairobi"], TAGS, HOURS, RULES)) == []


def test_columns_go_when_aggregates_and_fields_were_removed(place: Place, points: pd.DataFrame) -> None:
    roll(place.client, place.spec("1h", {**RULES, "temp": (*NAMES, "p99")}), SPAN)
    roll(place.client, place.spec("1h", {"temp": ("count", "last")}), SPAN)
    assert place.differences(rollup(points, TAGS, HOURS, {"temp": ("count", "last")})) == []


def test_rows_of_the_old_grouping_go_when_it_was_changed(place: Place, points: pd.DataFrame) -> None:
    rules = {"temp": ("count", "last")}
    roll(place.client, place.spec("1h", rules, pipeline="mine"), SPAN)
    roll(place.client, place.spec("1h", rules, pipeline="mine", group_by=("site",)), SPAN)
    assert place.differences(rollup(points, TAGS, HOURS, rules, ["site"])) == []


@pytest.mark.recorded
def test_fields_of_another_pipeline_stay_when_it_took_over_what_this_one_gave_up(
    place: Place, points: pd.DataFrame
) -> None:
    roll(place.client, place.spec("1h", {"temp": ("count", "mean")}, pipeline="mine"), SPAN)
    roll(
        place.client,
        place.spec("1h", {"temp": ("count",)}, pipeline="mine"),
        interval("2025-03-08", "2025-03-08T01:00"),
    )
    roll(place.client, place.spec("1h", {"temp": ("mean",)}, pipeline="theirs"), SPAN)
    roll(place.client, place.spec("1h", {"temp": ("count",)}, pipeline="mine"), SPAN)
    assert place.differences(rollup(points, TAGS, HOURS, {"temp": ("count", "mean")})) == []


@pytest.mark.recorded
def test_fields_of_other_pipelines_stay_when_their_point_holds_a_ghost(
    place: Place, points: pd.DataFrame
) -> None:
    mine, theirs = {"temp": ("count", "mean")}, {"temp": ("p99",), "packets": ("last",)}
    roll(place.client, place.spec("1h", mine, pipeline="mine"), SPAN)
    roll(place.client, place.spec("1h", theirs, pipeline="theirs"), SPAN)
    roll(place.client, place.spec("1h", {"total": ("max",)}, pipeline="uints"), SPAN)
    place.client.write_lines(
        place.target,
        [
            f'{place.measurement},device=a-1,site=berlin total_kept={2**63}u,note_kept="x",on_kept=t {SPAN.start_ns}'
        ],
    )
    left = drop_from_source(place, points, "a-1")
    roll(place.client, place.spec("1h", mine, pipeline="mine"), SPAN)
    expected = pd.concat(
        [rollup(left, TAGS, HOURS, mine), rollup(points, TAGS, HOURS, theirs)], ignore_index=True
    )
    stored = place.stored()
    foreign = stored[stored["_field"].str.endswith("_kept")]
    assert sorted(zip(foreign["_field"], foreign["_value"], foreign["type"], strict=True)) == [
        ("note_kept", "x", "string"),
        ("on_kept", True, "boolean"),
        ("total_kept", 2**63, "unsignedLong"),
    ]
    assert compare(stored[~stored["_field"].str.endswith("_kept")], expected) == []
    assert len(place.stored("ghost_survivors", place.ledger)) == 0


def test_a_series_with_more_tags_stays_when_the_one_with_fewer_goes(
    place: Place, points: pd.DataFrame
) -> None:
    more_tags = points[points["device"] == "a-1"].assign(note="more")
    place.write(more_tags, FIELDS)
    spec = place.spec("1h", RULES)
    roll(place.client, spec, SPAN)
    drop_from_source(place, points, "a-1")
    place.write(more_tags, FIELDS)
    roll(place.client, spec, SPAN)
    left = pd.concat([points[points["device"] != "a-1"], more_tags], ignore_index=True)
    assert place.differences(rollup(left, TAGS, HOURS, RULES)) == []


def test_neither_pipeline_touches_the_other_when_their_tags_are_disjoint(
    place: Place, points: pd.DataFrame
) -> None:
    berlin = place.spec("1h", RULES, tags={"site": ("berlin",)})
    nairobi = place.spec("1h", {"*": NAMES}, fields=("temp", "packets"), tags={"site": ("nairobi",)})
    kept = points[points["site"].isin(["berlin", "nairobi"])]
    for spec in (berlin, nairobi, berlin, nairobi):
        roll(place.client, spec, SPAN)
    assert place.differences(rollup(kept, TAGS, HOURS, RULES)) == []
    left = drop_from_source(place, kept, "a-1")
    roll(place.client, nairobi, SPAN)
    assert place.differences(rollup(kept, TAGS, HOURS, RULES)) == []
    roll(place.client, berlin, SPAN)
    assert place.differences(rollup(left, TAGS, HOURS, RULES)) == []


@pytest.mark.parametrize(
    ("grid", "more"),
    [
        ("30m", {}),
        (GridSpec("1h", period="2h"), {}),
        (GridSpec("1h", offset="10m"), {}),
        ("1h", {"group_by": ("site",)}),
        ("1h", {"tags": {"site": ("berlin",)}}),
    ],
    ids=["other grid", "sliding", "offset", "grouping", "overlapping filter"],
)
def test_rollup_is_refused_when_another_pipeline_writes_the_same_fields(
    place: Place, grid: str | GridSpec, more: dict[str, object]
) -> None:
    rules = {"temp": ("count", "last")}
    first = place.spec("1h", rules, pipeline="the first one")
    roll(place.client, first, SPAN)
    before = place.stored()
    span = interval("2025-03-08T00:10", "2025-03-08T02:10") if getattr(grid, "offset", "0s") != "0s" else SPAN
    with pytest.raises(ConfigurationError, match="'the first one'"):
        roll(place.client, place.spec(grid, rules, pipeline="second", **more), span)
    assert compare(place.stored(), before) == []
    assert set(place.states("the first one").values()) == {"COMMITTED"}
    assert place.states("second") == {}


def test_rollup_is_refused_when_two_groupings_could_end_in_one_tag_set(place: Place) -> None:
    rules = {"temp": ("count",)}
    roll(place.client, place.spec("1h", rules, group_by=("site",), pipeline="by site"), SPAN)
    with pytest.raises(ConfigurationError, match="'by site'"):
        roll(place.client, place.spec("1h", rules, group_by=("site", "note")), SPAN)


def test_rollup_is_refused_when_filters_differ_in_a_tag_that_is_merged_away(place: Place) -> None:
    rules = {"temp": ("count",)}
    berlin = place.spec("1h", rules, group_by=("note",), tags={"site": ("berlin",)}, pipeline="berlin")
    roll(place.client, berlin, SPAN)
    with pytest.raises(ConfigurationError, match="'berlin'"):
        roll(place.client, place.spec("1h", rules, group_by=("note",), tags={"site": ("nairobi",)}), SPAN)


def test_rollup_is_refused_when_its_own_pipeline_had_another_grid(place: Place) -> None:
    roll(place.client, place.spec("1h", RULES, pipeline="mine"), SPAN)
    with pytest.raises(ConfigurationError, match="windows of 1h"):
        roll(place.client, place.spec("30m", RULES, pipeline="mine"), SPAN)


def test_columns_of_another_task_stay_when_it_has_the_same_pipeline_name(
    place: Place, points: pd.DataFrame
) -> None:
    roll(place.client, place.spec("1h", {"temp": ("count",)}), SPAN)
    other_task = roll_up(place.spec("1h", {"packets": ("mean",)}), SPAN, replace(RUN, task_id="other"), now)
    with pytest.raises(ConfigurationError, match="pipeline="):
        drive(other_task, place.client, lambda _report: None)
    assert place.differences(rollup(points, TAGS, HOURS, {"temp": ("count",)})) == []


def test_rollup_runs_when_a_pipeline_was_renamed(place: Place, points: pd.DataFrame) -> None:
    roll(place.client, place.spec("1h", RULES, pipeline="old name"), SPAN)
    roll(place.client, place.spec("60m", RULES, pipeline="new name"), SPAN)
    assert place.differences(rollup(points, TAGS, HOURS, RULES)) == []


@pytest.mark.recorded("-merged")
@pytest.mark.parametrize(
    ("grid", "group_by"),
    [("1h", None), ("1h", ("site",)), (GridSpec("1h", period="2h"), ("site",))],
    ids=["series", "merged", "sliding"],
)
@pytest.mark.parametrize("is_empty", [False, True], ids=["", "without a source"])
def test_values_that_no_pipeline_wrote_stay_when_the_source_does_not_explain_them(
    place: Place, grid: str | GridSpec, group_by: tuple[str, ...] | None, is_empty: bool
) -> None:
    old = f"{place.measurement},site=atlantis temp_count=7i {SPAN.start_ns}"
    place.client.write_lines(place.target, [old])
    if is_empty:
        place.client.delete(place.source, interval("2025-03-01", "2025-04-01"), '_measurement="readings"')
    spec = place.spec(grid, {"temp": ("count",)}, group_by=group_by)
    with pytest.raises(ConfigurationError, match="'temp_count' of site=atlantis at 2025-03-08T00:00:00Z"):
        roll(place.client, spec, SPAN)
    assert place.stored()["_value"].tolist() == [7]
    assert place.states() == {}


def test_values_that_the_source_explains_are_taken_over_when_the_ledger_was_lost(
    place: Place, points: pd.DataFrame
) -> None:
    for number, group_by in enumerate([None, ("site",)]):
        spec = place.spec("1h", RULES if group_by is None else {"temp": ("count",)}, group_by=group_by)
        spec = replace(spec, target_measurement=f"taken {number}")
        roll(place.client, spec, SPAN)
        before = place.stored(f"taken {number}")
        roll(place.client, replace(spec, ledger_bucket=f"{place.ledger}_{number}"), SPAN)
        assert compare(place.stored(f"taken {number}"), before) == []


def test_values_off_the_grid_stay_and_are_told(place: Place) -> None:
    stray = f"{place.measurement},device=a-1 temp_count=7i {SPAN.start_ns + 60_000_000_000}"
    place.client.write_lines(place.target, [stray])
    told: list[str] = []
    roll(place.client, place.spec("1h", RULES), SPAN, told.append)
    stored = place.stored()
    assert stored[stored["_time"] == SPAN.start_ns + 60_000_000_000]["_value"].tolist() == [7]
    assert any("on no window's start" in message for message in told)
