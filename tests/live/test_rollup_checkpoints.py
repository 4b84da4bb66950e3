"""Blocks that are committed one by one: tries that go on, bad windows and bad fields that stop nobody else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    InfluxRollupError,
    InfluxUnavailable,
    InvalidName,
    SourceIncomplete,
    WindowsFailed,
    WriteRejected,
)
from airflow_provider_influx_rollup.flux.source_read import FieldSeries, SeriesAtMost
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup import blocks
from airflow_provider_influx_rollup.lifecycle.rollup import windows as rollup_windows
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up, steps_from_job
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Progressed, Report
from airflow_provider_influx_rollup.steps.step import Step
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.oracle import query
from tests.scenes.cuts import cut, may_change
from tests.scenes.rollup_runs import Place, interval, make_place, now, writes_to

pytestmark = pytest.mark.live

WEEKS = interval("2025-03-03", "2025-03-24")  # three shard groups of the target, which begin on Mondays
DAYS = 21
RULES = {"temp": ("count", "sum"), "load": ("max",)}
FIRST = RunInfo(dag_id="dag", task_id="task", run_id="run", try_number=1)
SECOND = replace(FIRST, try_number=2)


@dataclass
class Scene:
    """Three weeks of points, one for each day and device."""

    place: Place
    target: str = "readings"

    @property
    def spec(self) -> RollupSpec:
        return self.place.spec("1d", RULES, pipeline=self.target, target_measurement=self.target)

    def plant(self, day: int, field: str = "temp_sum") -> None:
        """Make a field of the target a string in the week of a day, at no window's start."""
        moment = WEEKS.start + timedelta(days=day, hours=7)
        self.place.client.write_lines(
            self.place.target, [f'readings,device=planted {field}="x" {int(moment.timestamp())}000000000']
        )

    def run(
        self, run: RunInfo, span: Interval = WEEKS, spec: RollupSpec | None = None, **options: Any
    ) -> Run:
        steps = roll_up(spec or self.spec, span, run, now, options=RollupOptions(**options))
        return Run(steps, self.place.client)

    def rows(self, field: str = "temp_count") -> dict[int, float]:
        """The value of each day, over the devices."""
        rows = query(
            self.place.server.url,
            self.place.server.org,
            self.place.server.token,
            f"""from(bucket: "{self.place.target}") |> range(start: 2025-01-01T00:00:00Z, stop: 2026-01-01T00:00:00Z)
                |> filter(fn: (r) => r._measurement == "{self.target}" and r._field == "{field}")
                |> filter(fn: (r) => r.device != "planted") |> group()""",
        )
        found: dict[int, float] = {}
        for row in rows:
            day = (pd.Timestamp(row["_time"], tz="UTC") - pd.Timestamp(WEEKS.start)).days
            found[day] = found.get(day, 0) + float(row["_value"])
        return found

    def days_in(self, state: str) -> list[int]:
        states = self.place.states(self.target)
        starts = [pd.Timestamp(time) for time, found in states.items() if found == state]
        return sorted((start - pd.Timestamp(WEEKS.start)).days for start in starts)

    def generations(self) -> list[int]:
        rows = query(
            self.place.server.url,
            self.place.server.org,
            self.place.server.token,
            f"""from(bucket: "{self.place.ledger}") |> range(start: 2025-01-01T00:00:00Z, stop: 2026-01-01T00:00:00Z)
                |> filter(fn: (r) => r._measurement == "window_receipt" and r._field == "generation")
                |> filter(fn: (r) => r.pipeline == "{self.target}")""",
        )
        return [int(row["_value"]) for row in sorted(rows, key=lambda row: row["_time"])]


class Run:
    """Acts a verb out, and knows what it did."""

    def __init__(self, steps: Any, client: InfluxClient) -> None:
        self.client, self.steps = client, steps
        self.said: list[str] = []
        self.pending: Step | None = None
        self.result: dict[str, Any] = {}
        self._advance(lambda: next(steps))

    def _advance(self, go: Any) -> None:
        try:
            self.pending = go()
        except StopIteration as end:
            self.pending, self.result = None, end.value.as_json()

    def advance(self) -> None:
        """Act one step out."""
        step = self.pending
        assert step is not None
        if isinstance(step, Report):
            self.said.append(step.message)
            self._advance(lambda: self.steps.send(None))
            return
        try:
            answer = act(step, self.client)
        except InfluxRollupError as error:
            thrown = error
            self._advance(lambda: self.steps.throw(thrown))
        else:
            self._advance(lambda: self.steps.send(answer))

    def to_the_write(self, bucket: str) -> None:
        """Go on until a write to a bucket is the next step; the one that is pending is acted out first."""
        self.advance()
        while not writes_to(self.pending, bucket):
            self.advance()

    def to_the_end(self) -> Run:
        while self.pending is not None:
            self.advance()
        return self


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient) -> Scene:
    place = make_place(influx, client)
    lines = [
        f"readings,device=d{device} temp={day + device}.5,load={day}i "
        f"{int((WEEKS.start + timedelta(days=day, hours=6 + device)).timestamp())}000000000"
        for day in range(DAYS)
        for device in range(2)
    ]
    client.write_lines(place.source, lines)
    return Scene(place)


def test_bad_windows_and_fields_are_named_and_the_others_are_there_when_the_target_refuses_some(
    scene: Scene,
) -> None:
    span = interval("2025-03-07", "2025-03-12")
    scene.plant(day=9)  # another shard group begins on day 7
    with pytest.raises(WindowsFailed) as caught:
        scene.run(FIRST, span).to_the_end()
    error = caught.value
    assert [(window.start - WEEKS.start).days for window, _ in error.failed] == [7, 8]
    assert {type(cause) for _, cause in error.failed} == {WriteRejected}
    assert error.permanent
    assert "2 of 5 windows failed" in str(error)
    assert "3 windows are COMMITTED" in str(error)
    # the field is named, and the other one is there
    assert "field 'temp'" in str(error)
    assert "field 'load'" not in str(error)
    assert scene.days_in("WRITING") == [7, 8]
    assert scene.days_in("COMMITTED") == [4, 5, 6]
    assert sorted(scene.rows("temp_count")) == [4, 5, 6]
    assert scene.rows("load_max") == {day: 2.0 * day for day in range(4, 9)}

    # a field keeps its type as long as its shard group, so the retry fails too, for the bad windows alone
    again = scene.run(SECOND, span)
    with pytest.raises(WindowsFailed, match="2 of 5 windows failed"):
        again.to_the_end()
    assert "3 windows were committed by an earlier try of this run: they stay as they are" in again.said
    assert scene.generations() == [1, 1, 1]


def test_blocks_are_small_when_the_series_have_more_values_than_the_worker_can_hold(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    # two devices with three columns: six values a day
    monkeypatch.setattr(blocks, "MAX_VALUES_PER_BLOCK", 31)
    run = scene.run(FIRST)
    done = []
    while run.pending is not None:
        if isinstance(run.pending, Progressed):
            done.append(run.pending.done)
        run.advance()
    assert done == [0, 5, 10, 15, 20]
    assert scene.rows("temp_count") == dict.fromkeys(range(DAYS), 2.0)


@pytest.mark.parametrize(("limit", "asked"), [(125, {SeriesAtMost, FieldSeries}), (126, {SeriesAtMost})])
def test_series_of_each_field_are_counted_only_when_all_series_may_be_too_many(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, limit: int, asked: set[type]
) -> None:
    # two devices with three columns in 21 days, of one point more than these have values
    later = int((WEEKS.start + timedelta(hours=20)).timestamp())
    scene.place.client.write_lines(scene.place.source, [f"readings,device=d0 load=0i {later}000000000"])
    monkeypatch.setattr(blocks, "MAX_VALUES_PER_BLOCK", limit)
    run, kinds = scene.run(FIRST), set()
    while run.pending is not None:
        kinds.add(type(run.pending))
        run.advance()
    assert kinds & {SeriesAtMost, FieldSeries} == asked
    assert scene.rows("temp_count") == dict.fromkeys(range(DAYS), 2.0)


@pytest.mark.recorded
def test_rest_is_left_when_too_many_windows_have_failed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup_windows, "MAX_FAILED", 2)
    scene.plant(day=9)
    with pytest.raises(WindowsFailed, match="14 of 21 windows failed") as caught:
        scene.run(FIRST, windows_per_block=7).to_the_end()
    assert not caught.value.permanent
    assert "11 windows of [2025-03-13T00:00:00Z, 2025-03-24T00:00:00Z): InfluxRollupError: not tried" in str(
        caught.value
    )
    assert scene.days_in("COMMITTED") == list(range(7))


def test_first_error_ends_the_run_when_it_fails_fast(scene: Scene) -> None:
    scene.plant(day=9)
    with pytest.raises(WriteRejected, match="6 of 21 windows are COMMITTED"):
        scene.run(FIRST, windows_per_block=3, on_window_error="fail_fast").to_the_end()
    assert scene.days_in("COMMITTED") == list(range(6))
    assert scene.days_in("WRITING") == [6, 7, 8]
    assert scene.days_in("PLANNED") == list(range(9, 21))


def test_tries_go_on_behind_what_is_committed_when_a_run_dies_between_any_two_steps(
    influx: InfluxServer, client: InfluxClient, scene: Scene
) -> None:
    """Two blocks; the run dies at each step, and the retry does what is not COMMITTED and nothing else."""
    span = interval("2025-03-03", "2025-03-06")
    resumed = set()
    for boundary in range(60):
        fresh = Scene(scene.place, f"target{boundary}")
        dying = fresh.run(FIRST, span, windows_per_block=2)
        if not cut(dying, may_change, boundary) or dying.pending is None:
            break
        dying.steps.close()
        # the first steps make the ledger
        done = fresh.days_in("COMMITTED") if client.find_bucket(fresh.place.ledger) else []
        assert set(done) <= set(fresh.rows()), boundary
        retry = fresh.run(SECOND, span, windows_per_block=2).to_the_end()
        assert retry.result["windows"] == 3
        assert retry.result["rows_in"] == 12
        assert fresh.rows() == dict.fromkeys(range(3), 2.0), boundary
        assert fresh.rows("load_max") == {day: 2.0 * day for day in range(3)}, boundary
        assert fresh.generations() == [1] * 3, boundary
        assert any("earlier try" in text for text in retry.said) == bool(done)
        resumed.add(len(done))
    assert 5 < boundary < 59
    assert resumed >= {0, 2}


@pytest.mark.parametrize(
    ("run", "again"),
    [
        (SECOND, False),
        (replace(SECOND, first_try=2), True),
        (replace(SECOND, run_id="another"), True),
        (replace(SECOND, map_index=3), True),
        (FIRST, True),
    ],
    ids=["retry", "cleared", "another run", "another mapped task", "the same try"],
)
def test_only_a_retry_of_the_same_run_goes_on_when_windows_are_committed(
    scene: Scene, run: RunInfo, again: bool
) -> None:
    week = interval("2025-03-03", "2025-03-10")
    scene.run(FIRST, week).to_the_end()
    scene.place.client.write_lines(
        scene.place.source, [f"readings,device=late temp=1.5 {week.start_ns + 99}"]
    )
    result = scene.run(run, week).to_the_end().result
    assert scene.generations() == [2 if again else 1] * 7
    assert scene.rows()[0] == (3 if again else 2)
    assert result["windows"] == 7
    assert result["rows_in"] == (29 if again else 28)
    assert result["notes"] == []


def test_retry_does_all_again_when_the_spec_has_changed(scene: Scene) -> None:
    week = interval("2025-03-03", "2025-03-10")
    scene.run(FIRST, week).to_the_end()
    wider = replace(scene.spec, aggregates={**RULES, "temp": ("count", "sum", "mean")})
    scene.run(SECOND, week, spec=wider).to_the_end()
    assert scene.generations() == [2] * 7
    assert scene.rows("temp_mean").keys() == set(range(7))


def test_deferred_rollup_goes_on_when_another_triggerer_takes_it_over(scene: Scene) -> None:
    week = interval("2025-03-03", "2025-03-10")
    scene.run(FIRST, week).to_the_end()
    options = RollupOptions(windows_per_block=3).as_json()
    job = {
        "spec": {**scene.spec.as_json(), "options": options},
        "intervals": [week.as_json()],
        "run_info": asdict(FIRST),
    }
    result = drive(steps_from_job(json.loads(json.dumps(job)), now), scene.place.client, lambda _report: None)
    assert result.as_json()["windows"] == 7
    assert scene.generations() == [1] * 7


def test_block_is_not_halved_when_the_server_goes_away(scene: Scene) -> None:
    run = scene.run(FIRST, windows_per_block=7)
    for _ in range(2):
        run.to_the_write(scene.place.target)
    with pytest.raises(InfluxUnavailable, match="7 of 21 windows are COMMITTED"):
        run.steps.throw(InfluxUnavailable("connection refused"))
    assert scene.days_in("COMMITTED") == list(range(7))


def test_empty_windows_fail_at_the_end_when_they_must_not_be_empty(scene: Scene) -> None:
    span = interval("2025-03-17", "2025-03-27")
    strict = replace(scene.spec, empty_windows="fail")
    with pytest.raises(SourceIncomplete, match="3 of 10 windows have no points") as caught:
        scene.run(FIRST, span, spec=strict, windows_per_block=4).to_the_end()
    assert "7 windows are committed" in str(caught.value)
    assert scene.days_in("COMMITTED") == list(range(14, 21))
    assert scene.days_in("WRITING") == [21, 22, 23]


@pytest.mark.parametrize(
    ("line", "changes", "error", "named"),
    [
        ("readings,temp_sum=hall temp=1.5", {"compute": "server"}, ConfigurationError, "tag 'temp_sum'"),
        ('readings,size"=1 temp=1.5', {"target_measurement": "a=b"}, InvalidName, "double quote"),
    ],
    ids=[
        "a tag with the name of a column that the server writes",
        "names that line protocol cannot hold beside each other",
    ],
)
def test_nothing_is_written_when_the_target_could_not_hold_the_names(
    scene: Scene, line: str, changes: dict[str, Any], error: type[InfluxRollupError], named: str
) -> None:
    scene.place.client.write_lines(scene.place.source, [f"{line} {WEEKS.start_ns + 7}"])
    with pytest.raises(error, match=named):
        scene.run(FIRST, spec=replace(scene.spec, **changes)).to_the_end()
    assert scene.place.states() == {}
    assert scene.rows() == {}


SCRIPT = """
from(bucket: "SOURCE") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "readings" and r._field == "temp")
  |> aggregateWindow(every: v.windowPeriod, fn: sum, timeSrc: "_start", createEmpty: false)
  |> set(key: "_field", value: "temp_sum") |> set(key: "_measurement", value: "scripted")
  |> to(bucket: "TARGET")
"""


@pytest.mark.recorded
def test_other_windows_of_a_script_are_committed_once_when_the_target_refuses_some(scene: Scene) -> None:
    scene.target = "scripted"
    moment = int((WEEKS.start + timedelta(days=9, hours=7)).timestamp())
    scene.place.client.write_lines(
        scene.place.target, [f'scripted,device=planted temp_sum="x" {moment}000000000']
    )
    script = SCRIPT.replace("SOURCE", scene.place.source).replace("TARGET", scene.place.target)
    spec = ScriptSpec(
        script=script,
        target_bucket=scene.place.target,
        grid=GridSpec("1d"),
        pipeline="scripted",
        ledger_bucket=scene.place.ledger,
    )
    span = interval("2025-03-08", "2025-03-12")
    for run, generations in (
        (FIRST, [1, 1]),
        (SECOND, [1, 1]),
        (replace(SECOND, first_try=2), [2, 2]),
    ):
        with pytest.raises(WindowsFailed, match="2 of 4 windows failed") as caught:
            Run(roll_up_by_script(spec, span, run, now), scene.place.client).to_the_end()
        assert [(window.start - WEEKS.start).days for window, _ in caught.value.failed] == [7, 8]
        assert scene.generations() == generations
    fast = RollupOptions(on_window_error="fail_fast")
    with pytest.raises(InfluxRollupError, match="temp_sum"):
        Run(roll_up_by_script(spec, span, FIRST, now, options=fast), scene.place.client).to_the_end()
