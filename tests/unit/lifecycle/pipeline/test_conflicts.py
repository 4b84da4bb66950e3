"""Which pipelines may share a target, and which values of it are whose."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.pipeline.claims import Claim, Ownership
from airflow_provider_influx_rollup.lifecycle.pipeline.conflicts import (
    earlier_specs,
    require_no_clash,
    require_one_task,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval

SUMS = RollupSpec(
    source_bucket="raw",
    target_bucket="hourly",
    measurement="sensors",
    grid=GridSpec("1h"),
    aggregates=("count", "sum"),
    pipeline="mine",
)


def stored(*specs: RollupSpec) -> list[StoredSpec]:
    """As the ledger returns them, the last used first."""
    return [StoredSpec.of(spec) for spec in specs]


SAME_ROWS = [
    {},
    {"grid": GridSpec("60m")},
    {"aggregates": ("sum", "last")},
    {"lateness": "1h"},
]
OTHER_ROWS = [
    {"target_bucket": "daily"},
    {"target_measurement": "sums"},
    {"grid": GridSpec("2h"), "aggregates": ("mean",)},
    {"grid": GridSpec("2h"), "fields": ("temp",), "aggregates": {"temp": ("max",)}},
]
CLASHES = [
    {"grid": GridSpec("2h")},
    {"grid": GridSpec("1h", offset="30m")},
    {"grid": GridSpec("1h", period="3h")},
    {"source_bucket": "raw2"},
    {"measurement": "others", "target_measurement": "sensors"},
    {"group_by": ("site",)},
    {"tags": {"site": ("a",)}},
    {"source_bucket": "raw2", "fields": ("temp",)},
    {"source_bucket": "raw2", "aggregates": {"temp": ("sum",)}},
]


@pytest.mark.parametrize("change", [*SAME_ROWS, *OTHER_ROWS], ids=str)
def test_two_pipelines_may_run_when_they_agree_or_never_meet(change: dict[str, Any]) -> None:
    other = replace(SUMS, **change, pipeline="other")
    require_no_clash(SUMS, stored(other))
    require_no_clash(other, stored(SUMS))


@pytest.mark.parametrize("change", CLASHES, ids=str)
def test_second_pipeline_is_refused_when_both_write_the_same_values(change: dict[str, Any]) -> None:
    other = replace(SUMS, **change, pipeline="other")
    with pytest.raises(ConfigurationError, match="'other'"):
        require_no_clash(SUMS, stored(other))
    with pytest.raises(ConfigurationError, match="'mine'"):
        require_no_clash(other, stored(SUMS))


def with_tags(group_by: tuple[str, ...] | None, **tags: str) -> RollupSpec:
    chosen = {key: (value,) for key, value in tags.items()}
    return replace(SUMS, group_by=group_by, tags=chosen, pipeline=f"{group_by} {chosen}")


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (with_tags(None, site="a"), with_tags(None, site="b"), False),
        (with_tags(None, site="a"), with_tags(None, line="1"), True),
        (with_tags(("site",), site="a"), with_tags(("site",), site="b"), False),
        (with_tags(("site",), site="a"), with_tags(("site", "line"), site="b"), False),
        (with_tags(("line",), site="a"), with_tags(("line",), site="b"), True),
        (with_tags(("site",)), with_tags(("site", "line")), True),
        (with_tags(None, site="a"), with_tags(("site",), site="b"), False),
        (with_tags(None, site="a"), with_tags(("line",), site="b"), True),
        (with_tags(()), with_tags(("site",)), True),
    ],
)
def test_filters_keep_pipelines_apart_when_the_target_shows_them(
    one: RollupSpec, other: RollupSpec, clash: bool
) -> None:
    for first, second in ((one, other), (other, one)):
        if clash:
            with pytest.raises(ConfigurationError):
                require_no_clash(first, stored(second))
        else:
            require_no_clash(first, stored(second))


def test_only_the_newest_spec_counts_when_a_pipeline_has_changed() -> None:
    old, new = (
        replace(SUMS, pipeline="other", grid=GridSpec("2h")),
        replace(SUMS, pipeline="other", aggregates=("max",)),
    )
    require_no_clash(SUMS, stored(new, old))
    with pytest.raises(ConfigurationError):
        require_no_clash(SUMS, stored(old, new))


def test_own_pipeline_is_refused_when_it_had_another_grid() -> None:
    with pytest.raises(ConfigurationError, match="windows of 2h"):
        require_no_clash(SUMS, stored(replace(SUMS, grid=GridSpec("2h"))))
    require_no_clash(SUMS, stored(replace(SUMS, grid=GridSpec("2h"), target_measurement="elsewhere")))


def test_scripts_are_passed_over_when_the_ledger_has_them() -> None:
    require_no_clash(SUMS, [StoredSpec("script", "hash", {"script": "from()", "target_bucket": "hourly"})])


def test_earlier_specs_are_those_of_the_same_name_and_target() -> None:
    old = replace(SUMS, aggregates=("max",))
    elsewhere = replace(SUMS, target_measurement="elsewhere")
    other = replace(SUMS, aggregates=("min",), pipeline="other")
    assert earlier_specs(SUMS, stored(SUMS, elsewhere, other, old)) == [old]


BERLIN, PARIS = (("site", "berlin"),), (("site", "paris"),)


def test_values_of_earlier_specs_are_owned_when_nobody_else_took_them_over() -> None:
    mine = Claim.of(replace(SUMS, aggregates=("sum",), tags={"site": ("paris",)}))
    earlier = Claim.of(replace(SUMS, aggregates=("sum", "max"), tags={"site": ("berlin", "paris")}))
    taker = Claim.of(replace(SUMS, aggregates=("max",), tags={"site": ("berlin",)}))
    alone, shared = Ownership(mine, (earlier,)), Ownership(mine, (earlier,), (taker,))
    questions = [
        ("v_sum", PARIS),
        ("v_sum", BERLIN),
        ("v_max", PARIS),
        ("v_max", BERLIN),
        ("v_min", PARIS),
        ("v_sum", ()),
    ]
    assert [alone.owns(*question) for question in questions] == [True, True, True, True, False, False]
    assert [shared.owns(*question) for question in questions] == [True, True, True, False, False, False]
    assert alone.aggregate_names() == ["max", "sum"]
    assert alone.tags() == {"site": ("paris", "berlin")}


def test_no_tag_is_filtered_when_an_earlier_spec_had_no_filter() -> None:
    ownership = Ownership(Claim.of(replace(SUMS, tags={"site": ("paris",)})), (Claim.of(SUMS),))
    assert ownership.tags() == {}


def test_series_with_more_tags_is_not_owned_when_series_are_merged() -> None:
    merged = Claim.of(replace(SUMS, group_by=("site",)))
    assert merged.covers("v_sum", BERLIN)
    assert merged.covers("v_sum", ())
    assert not merged.covers("v_sum", (("device", "1"), *BERLIN))


def test_missing_tag_is_a_value_when_the_filter_names_it() -> None:
    claim = Claim.of(replace(SUMS, tags={"site": ("", "paris")}))
    assert [claim.covers("v_sum", tags) for tags in ((), PARIS, BERLIN)] == [True, True, False]


WRITER = RunInfo(dag_id="dag", task_id="sums", run_id="monday", map_index=-1)
LASTS = replace(SUMS, aggregates=("last",))


def receipt_of(spec: RollupSpec, run: RunInfo) -> Receipt:
    """What a run of a spec left behind."""
    window = Interval(EPOCH, EPOCH + timedelta(hours=1))
    written = {name: value for name, value in asdict(run).items() if name in Receipt.__slots__}
    return Receipt(
        pipeline="mine",
        stage="rollup",
        window=window,
        state=State.COMMITTED,
        written_at=EPOCH,
        spec_hash=spec.spec_hash(),
        **written,
    )


@pytest.mark.parametrize(
    "change",
    [{"task_id": "lasts"}, {"dag_id": "other"}, {"map_index": 1}, {"task_id": "lasts", "run_id": "x"}],
)
def test_task_is_refused_when_another_task_has_the_name_for_another_spec(change: dict[str, Any]) -> None:
    previous = [receipt_of(SUMS, WRITER)]
    with pytest.raises(ConfigurationError, match=r"task 'sums' of DAG 'dag'.*pipeline="):
        require_one_task(LASTS, replace(WRITER, **change), previous)
    require_one_task(SUMS, replace(WRITER, **change), previous)


@pytest.mark.parametrize(
    "change", [{}, {"run_id": "tuesday"}, {"run_id": "tuesday", "map_index": 1}, {"task_id": ""}]
)
def test_task_may_change_its_spec(change: dict[str, Any]) -> None:
    require_one_task(LASTS, replace(WRITER, **change), [receipt_of(SUMS, WRITER)])


def test_hash_is_computed_once_when_there_are_many_receipts(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []
    spec_hash = RollupSpec.spec_hash

    def counted(spec: RollupSpec) -> str:
        computed.append(spec_hash(spec))
        return computed[-1]

    monkeypatch.setattr(RollupSpec, "spec_hash", counted)
    window = Interval(EPOCH, EPOCH + timedelta(hours=1))
    one = Receipt(
        pipeline="mine",
        stage="rollup",
        window=window,
        state=State.COMMITTED,
        written_at=EPOCH,
        spec_hash="older",
    )
    require_one_task(SUMS, RunInfo(), [one] * 100)
    assert len(computed) == 1
