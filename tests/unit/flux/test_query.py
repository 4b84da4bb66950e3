"""Queries as values: what is sent together, and what answers mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_influx_rollup.archive.annotated_rows import Row
from airflow_provider_influx_rollup.flux.archive import LostText, LostTexts, SliceCounts
from airflow_provider_influx_rollup.flux.bucket_ids import BucketsNow
from airflow_provider_influx_rollup.flux.chains import PartialAggregates, RollupChains
from airflow_provider_influx_rollup.flux.erase import CopiesRecords, TextRecord, TextRecords
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptState, ReceiptStates, StoredSpecs
from airflow_provider_influx_rollup.flux.purges import OverlappingMarks
from airflow_provider_influx_rollup.flux.query import RowsQuery, together
from airflow_provider_influx_rollup.flux.rollup import Chain, RollupSource
from airflow_provider_influx_rollup.flux.server_clock import ServerClock
from airflow_provider_influx_rollup.flux.source_read import FieldTotals
from airflow_provider_influx_rollup.flux.source_size import FieldSizes, SourceSizes
from airflow_provider_influx_rollup.flux.target_read import TargetCounts, TargetTotals
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.interval import Interval, to_ns

START = datetime(2025, 3, 8, tzinfo=UTC)
DAY = Interval(START, START + timedelta(days=1))
SOURCE = RollupSource("raw", "m", {})
SPEC = {"pipeline": "p", "spec_hash": "h"}


def test_queries_that_are_sent_together_read_their_own_rows() -> None:
    query = together(StoredSpecs("ledger"), BucketsNow(), OverlappingMarks("ledger", "m", DAY))
    assert [line for line in query.flux().splitlines() if "yield(" in line] == [
        f'  |> yield(name: "{name}")' for name in ("specs", "buckets", "marks")
    ]
    rows = [
        Row({"_time": START, "_value": 1}, yield_name="marks"),
        Row({"id": "1", "name": "raw"}, yield_name="buckets"),
        Row({"_field": "spec", "_value": "{}", **SPEC}, yield_name="specs"),
        Row({"_field": "last_used_ns", "_value": 7, **SPEC}, yield_name="specs"),
    ]
    specs, names, starts = query.read(rows)
    assert [(one.pipeline, one.text, one.last_used_ns) for one in specs] == [("p", "{}", 7)]
    assert (names.by_id, starts) == ({"1": "raw"}, [START])


def test_query_that_names_its_yields_itself_reads_their_rows_when_it_is_sent_with_others() -> None:
    totals = TargetTotals(
        bucket="b",
        measurement="m",
        interval=DAY,
        aggregate_names=["count"],
        tags={},
        count_fields=["t_count"],
    )
    query = together(totals, FieldTotals(SOURCE, DAY))
    assert [line for line in query.flux().splitlines() if "yield(" in line] == [
        f'  |> yield(name: "{name}")' for name in ("rows", "points", "totals")
    ]
    rows = [
        Row({"_field": "t", "_value": 5}, yield_name="totals"),
        Row({"_field": "t_count", "_value": 2}, yield_name="rows"),
        Row({"_field": "t_count", "_value": 9}, yield_name="points"),
    ]
    assert query.read(rows) == (TargetCounts({"t_count": 2}, {"t_count": 9}), {"t": 5})
    with pytest.raises(ValueError, match="do not tell the queries apart"):
        together(totals, totals)


@pytest.mark.parametrize("other", [ServerClock(), StoredSpecs("other")])
def test_queries_are_not_sent_together_when_their_rows_could_not_be_told_apart(other: RowsQuery[Any]) -> None:
    with pytest.raises(ValueError, match="do not tell the queries apart"):
        together(StoredSpecs("ledger"), other)


def test_texts_are_looked_at_again_when_one_of_several_queries_may_lose_some() -> None:
    copies = CopiesRecords("ledger", {"measurement": "m"}, DAY)
    assert together(StoredSpecs("ledger"), BucketsNow()).as_sent
    assert not together(copies, BucketsNow()).as_sent


def test_points_of_a_field_are_added_up_when_it_comes_several_times() -> None:
    rows = [Row({"_field": name, "_value": count}) for name, count in (("a", 1), ("b", 2), ("a", 3))]
    assert FieldTotals(SOURCE, DAY).read(rows) == {"a": 4, "b": 2}


def test_slice_without_points_has_none_when_others_have_some() -> None:
    rows = [Row({"_value": 5}, yield_name="1")]
    assert SliceCounts(SOURCE, [DAY, DAY, DAY]).read(rows) == [0, 5, 0]


def test_state_of_a_window_is_read_without_what_was_not_asked_for() -> None:
    query = ReceiptStates("ledger", "p", "rollup", DAY)
    row = {"_time": START, "stop_ns": to_ns(DAY.stop), "state": "WRITING", "written_at_ns": 3}
    assert query.read([Row(row)]) == [ReceiptState(window=DAY, state=State.WRITING, written_at_ns=3)]


def test_values_and_counts_of_a_target_are_told_apart() -> None:
    query = TargetTotals(bucket="b", measurement="m", interval=DAY, aggregate_names=["count"], tags={})
    rows = [
        Row({"_field": "t_count", "_value": count}, yield_name=name)
        for name, count in (("rows", 2), ("points", 9))
    ]
    assert query.read(rows) == TargetCounts({"t_count": 2}, {"t_count": 9})


def test_series_of_a_source_are_those_of_the_part_that_has_most() -> None:
    rows = [
        Row({"_field": "t", "_value": count}, yield_name=name)
        for name, count in (("points:0", 5), ("points:1", 7), ("series:0", 3), ("series:1", 2))
    ]
    assert SourceSizes(SOURCE, [DAY, DAY]).read(rows) == FieldSizes({"t": 12}, {"t": 3})


def test_lost_texts_are_those_that_are_there() -> None:
    query = LostTexts(bucket="b", measurement="m", interval=DAY, tags=(), fields=["f"])
    rows = [Row({"_value": 0}, yield_name="names"), Row({"_field": "f", "_value": 2}, yield_name="values")]
    assert query.read(rows) == [LostText(where="values", field="f", points=2)]


def test_record_of_the_ledger_has_its_tags_and_its_time_to_the_nanosecond() -> None:
    query = TextRecords(ledger_bucket="l", measurement="m", field="f", tags={}, interval=DAY)
    row = {"_time": START, "_measurement": "m", "_field": "f", "_value": "text", "exact_time_ns": 7}
    assert query.read([Row({**row, "pipeline": "p", "part": ""})]) == [
        TextRecord("text", {"pipeline": "p"}, 7)
    ]


def table(result: str, **columns: pa.Array) -> pa.Table:
    return pa.table(
        {"_time": pa.array([START], pa.timestamp("ns", "UTC")), **columns}
    ).replace_schema_metadata({"result": result})


def test_rows_of_a_chain_are_found_by_the_yields_name() -> None:
    chains = [
        Chain(field="t", flux_function=name, is_pushed=True, column=f"t_{name}", is_written=name == "sum")
        for name in ("count", "sum")
    ]
    query = RollupChains(
        source=SOURCE, chains=chains, runs=equal_runs([DAY]), target_bucket="b", target_measurement="m"
    )
    assert query.may_write
    tables = [table("0:1", t_sum=pa.array([2.5])), table("0:0", _value=pa.array([3])).slice(1)]
    ((chain, frame),) = query.read(tables)
    assert (chain, frame.values.tolist()) == (chains[1], [2.5])


@pytest.mark.parametrize("keeps_times", [True, False])
def test_parts_are_read_by_their_names(keeps_times: bool) -> None:
    query = PartialAggregates(
        source=SOURCE, runs=equal_runs([DAY]), names=["count", "sum"], field="t", keeps_times=keeps_times
    )
    tables = [
        table(result, _field=pa.array(["t"]), _value=pa.array([value]))
        for result, value in (("count:0", 3), ("sum:1", 2.5))
    ]
    parts = query.read(tables)
    assert {name: [frame.values.tolist() for frame in frames] for name, frames in parts.items()} == {
        "count": [[3]],
        "sum": [[2.5]],
    }
