"""Two backfills, the schedule and a writer that never stops, all at once: the end is that of one quiet run."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.oracle import rollup, windows
from tests.scenes.reconcile_runs import sweep
from tests.scenes.rollup_runs import TAGS, Place, encode, make_place, make_points, now

pytestmark = pytest.mark.live

FIRST, LAST = "2025-03-08", "2025-03-09"
HOURS = [Interval(start.to_pydatetime(), stop.to_pydatetime()) for start, stop in windows(FIRST, LAST, "1h")]
AGGREGATES = {"temp": ("count", "sum", "min", "max", "first", "last", "mean")}
MAX_TRIES = 20


class Writer(threading.Thread):
    """Sends points until it is told to stop: late ones into any hour while the runs go on, and always newer ones."""

    def __init__(self, place: Place, client: InfluxClient, like: pd.DataFrame) -> None:
        super().__init__()
        self.place, self.client, self.like = place, client, like
        self.late: list[pd.DataFrame] = []
        self.newer = 0
        self.may_be_late = threading.Event()
        self.is_over = threading.Event()
        self.may_be_late.set()

    def run(self) -> None:
        chance = random.Random(20250308)
        while not self.is_over.is_set():
            self.newer += 1
            fresh = self.like.iloc[[0]].assign(
                _time=pd.Timestamp(LAST, tz="UTC") + self.newer * timedelta(seconds=1)
            )
            late = self.like.iloc[[0]].assign(
                _time=pd.Timestamp(FIRST, tz="UTC")
                + timedelta(seconds=chance.randrange(86_400), microseconds=7),
                temp=float(self.newer),
            )
            sent = [fresh]
            if self.may_be_late.is_set():
                self.late.append(late)
                sent.append(late)
            self.client.write_lines(
                self.place.source, encode(pd.concat(sent), self.place.measurement, ("temp",))
            )


def run_all(client: InfluxClient, spec: RollupSpec, hours: Sequence[Interval], run_id: str) -> int:
    """One run for each hour; how many tries there were."""
    return sum(run_one(client, spec, hour, f"{run_id} {hour.start}") for hour in hours)


def run_one(client: InfluxClient, spec: RollupSpec, hour: Interval, run_id: str) -> int:
    """Tried again like Airflow does."""
    for tries in range(1, MAX_TRIES + 1):
        error = failure_of(
            client,
            roll_up(spec, hour, RunInfo(dag_id="dag", task_id="task", run_id=run_id, try_number=tries), now),
        )
        if error is None:
            return tries
        if error.permanent:
            raise error
    pytest.fail(f"{hour} was not done in {MAX_TRIES} tries")


def failure_of(client: InfluxClient, steps: Steps[Any]) -> InfluxRollupError | None:
    try:
        drive(steps, client, lambda _report: None)
    except InfluxRollupError as error:
        return error
    return None


def test_end_is_right_when_two_backfills_the_schedule_and_a_writer_work_at_once(
    influx: InfluxServer, client: InfluxClient
) -> None:
    place = make_place(influx, client)
    points = make_points(FIRST, LAST, 1800)
    place.write(points, ("temp",))
    spec = place.spec("1h", AGGREGATES, pipeline="hours")
    settings = ClientSettings(url=influx.url, org=influx.org, token=lambda _refresh: influx.token)
    with InfluxClient(settings) as others:
        writer = Writer(place, others, points[points["temp"].notna()])
        writer.start()
        runs: list[Callable[[], Any]] = [
            lambda: run_all(client, spec, HOURS[:16], "backfill one"),
            lambda: run_all(client, spec, HOURS[:7:-1], "backfill two"),
            lambda: run_all(client, spec, HOURS[::3], "schedule"),
        ]
        try:
            with ThreadPoolExecutor(len(runs)) as pool:
                for future in [pool.submit(run) for run in runs]:
                    assert future.result() >= 8
            writer.may_be_late.clear()
            sent = writer.newer
            result = sweep(client, spec, Interval(HOURS[0].start, HOURS[-1].stop))
            assert result["is_clean"]
        finally:
            writer.is_over.set()
            writer.join()
    assert writer.newer > sent
    everything = pd.concat([points, *writer.late], ignore_index=True)
    inside = everything[everything["_time"] < pd.Timestamp(LAST, tz="UTC")]
    expected = rollup(
        inside.drop_duplicates([*TAGS, "_time"], keep="last"), TAGS, windows(FIRST, LAST, "1h"), AGGREGATES
    )
    assert place.differences(expected) == []
    assert place.count_series_keys() == len(expected)
    assert set(place.states("hours").values()) == {"COMMITTED"}
    assert len(writer.late) > 20
