"""Windows before a run that nobody has committed: rolled up with it, or left with the reason."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxUnavailable
from airflow_provider_influx_rollup.ledger.codec import encode_receipts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.heal import plan_healing
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up, steps_from_job
from airflow_provider_influx_rollup.lifecycle.rollup.rollup_run import RollupRun
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from tests.conftest import InfluxServer
from tests.oracle import compare, local_days, rollup, windows
from tests.scenes.cuts import may_change
from tests.scenes.rollup_runs import TAGS, Place, interval, make_place, make_points

pytestmark = pytest.mark.live

RULES = {"temp": ("count", "sum", "max")}
RUN = RunInfo(dag_id="dag", task_id="task", run_id="after", try_number=1)
# three days without a scheduler: the last run before was that of March 1, 06:00
BEFORE = interval("2025-03-01T05:00", "2025-03-01T06:00")
AFTER = interval("2025-03-04T06:00", "2025-03-04T07:00")
GAP = 72
CLOCK = datetime(2025, 3, 4, 7, 1, tzinfo=UTC)


@dataclass
class Scene:
    """Hourly windows with a gap of three days."""

    place: Place
    points: pd.DataFrame

    @property
    def spec(self) -> RollupSpec:
        return self.place.spec("1h", RULES, pipeline="mine")

    def roll(self, span: Interval = AFTER, spec: RollupSpec | None = None, **options: Any) -> dict[str, Any]:
        steps = roll_up(spec or self.spec, span, RUN, lambda: CLOCK, options=RollupOptions(**options))
        return drive(steps, self.place.client, lambda _report: None).as_json()

    def receipt(self, window: Interval, **values: Any) -> None:
        """Put a receipt of another run into the ledger."""
        known = Receipt(
            pipeline="mine",
            stage="rollup",
            window=window,
            state=State.WRITING,
            written_at=CLOCK,
            run_id="theirs",
            dag_id="dag",
            task_id="task",
        )
        self.place.client.write_lines(self.place.ledger, encode_receipts([replace(known, **values)]))

    def reason(self, window: Interval) -> str:
        """Why it was rolled up, as the ledger says."""
        flux = f"""from(bucket: "{self.place.ledger}") |> range(start: {format_instant(window.start)}, stop: {format_instant(window.stop)})
            |> filter(fn: (r) => r._measurement == "window_receipt" and r.pipeline == "mine" and r._field == "reason")"""
        (row,) = self.place.client.query(flux)
        return str(row["_value"])

    def differences(self, start: str, stop: str, every: str = "1h", **more: Any) -> list[str]:
        return self.place.differences(rollup(self.points, TAGS, windows(start, stop, every, **more), RULES))


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient) -> Scene:
    place = make_place(influx, client)
    points = make_points("2025-03-01", "2025-03-04T07:00", 1200)
    place.write(points, ("temp",))
    made = Scene(place, points)
    made.roll(BEFORE)
    return made


def hour(day: int, of_day: int) -> Interval:
    start = datetime(2025, 3, day, of_day, tzinfo=UTC)
    return Interval(start, start + timedelta(hours=1))


@pytest.mark.recorded
def test_one_run_makes_all_right_when_the_scheduler_was_down_for_three_days(scene: Scene) -> None:
    result = scene.roll(heal="3d")
    assert (result["windows"], result["healed"], result["left"]) == (1, GAP, [])
    assert scene.differences("2025-03-01T05:00", "2025-03-04T07:00") == []
    assert set(scene.place.states().values()) == {"COMMITTED"}
    assert len(scene.place.states()) == GAP + 2
    # nothing is left for the next run to heal, and a longer lookback finds what is missing before
    assert scene.roll(heal="3d")["healed"] == 0
    assert scene.roll(heal="78h")["healed"] == 5
    assert scene.differences("2025-03-01", "2025-03-04T07:00") == []


def test_only_the_windows_of_the_run_are_rolled_up_when_nothing_is_to_heal(scene: Scene) -> None:
    result = scene.roll()
    assert (result["windows"], result["healed"], result["left"]) == (1, 0, [])
    assert len(scene.place.states()) == 2


@pytest.mark.recorded
def test_dry_run_says_what_would_be_healed_and_writes_nothing(scene: Scene) -> None:
    said: list[str] = []
    steps = roll_up(scene.spec, AFTER, RUN, lambda: CLOCK, dry_run=True, options=RollupOptions(heal="3d"))
    result = drive(steps, scene.place.client, lambda report: said.append(report.message)).as_json()
    assert f"Dry run, would heal {GAP} windows before {AFTER}" in said
    assert (result["state"], result["healed"]) == ("PLANNED", 0)
    assert len(scene.place.states()) == 1


@pytest.mark.parametrize(
    ("role", "why", "lost"),
    # of March 2, 19:01 on all is kept: a shard group that has begun before stays, a window's start is dropped
    [("source", "frozen", 37), ("target", "dropped", 38)],
)
def test_windows_that_retention_has_reached_take_no_places_when_few_are_healed(
    scene: Scene, client: InfluxClient, role: str, why: str, lost: int
) -> None:
    short = f"{scene.place.target}_{role}"
    client.ensure_bucket(short, retention_seconds=36 * 3600)
    spec = replace(scene.spec, pipeline=role, **{f"{role}_bucket": short})
    options = RollupOptions(heal="3d", heal_max_windows=5)
    healing = drive(
        plan_healing(RollupRun(spec, RUN, lambda: CLOCK, options), AFTER), client, lambda _report: None
    )
    assert healing.missing[0].start == BEFORE.stop + timedelta(hours=lost)
    assert len(healing.missing) == 5
    first, second = healing.left_as_json()
    assert (first["start"], first["windows"]) == ("2025-03-01T06:00:00Z", lost)
    assert (
        first["why"]
        == f"{why}: retention of {'target ' * (role == 'target')}bucket {short!r} has reached them"
    )
    assert second["why"] == "one run heals at most 5 windows (heal_max_windows)"


def test_oldest_windows_are_healed_first_when_there_are_too_many(scene: Scene) -> None:
    result = scene.roll(heal="3d", heal_max_windows=70)
    assert result["healed"] == 70
    why = "one run heals at most 70 windows (heal_max_windows)"
    assert result["left"] == [
        {"start": "2025-03-04T04:00:00Z", "stop": "2025-03-04T06:00:00Z", "windows": 2, "why": why}
    ]
    assert scene.roll(heal="3d", heal_max_windows=70)["healed"] == 2


@pytest.mark.recorded
def test_what_others_write_and_what_another_spec_wrote_is_told_apart_when_windows_are_healed(
    scene: Scene,
) -> None:
    scene.receipt(hour(2, 1), written_at=CLOCK - timedelta(minutes=3))
    scene.receipt(hour(2, 2), written_at=CLOCK - timedelta(minutes=20))
    scene.receipt(hour(2, 3), written_at=CLOCK, run_id=RUN.run_id)
    scene.receipt(hour(2, 4), state=State.PLANNED)
    scene.receipt(hour(2, 5), state=State.COMMITTED, spec_hash="older", dag_id="", task_id="")
    scene.receipt(hour(2, 6), state=State.COMMITTED, spec_hash=scene.spec.spec_hash(), generation=7)
    result = scene.roll(heal="3d")
    assert result["healed"] == GAP - 2
    assert result["left"] == [
        {
            "start": "2025-03-02T01:00:00Z",
            "stop": "2025-03-02T02:00:00Z",
            "windows": 1,
            "why": "run 'theirs' is writing it",
        }
    ]
    assert [scene.reason(hour(2, of_day)) for of_day in (4, 5, 7)] == [
        "heal: the window was not committed",
        "heal: the window was committed under another declaration",
        "heal: the window was not committed",
    ]


def test_windows_that_the_target_refuses_are_left_and_stop_nobody_else(scene: Scene) -> None:
    # a string where the windows of the shard group that ends with March 2 need a float
    noon = int(datetime(2025, 3, 2, 12, 34, tzinfo=UTC).timestamp())
    scene.place.client.write_lines(scene.place.target, [f'other,device=planted temp_sum="x" {noon}000000000'])
    spec = replace(scene.spec, target_measurement="other", pipeline="other")
    result = scene.roll(hour(3, 2), spec, heal="4h")
    assert (result["windows"], result["state"], result["healed"]) == (1, "COMMITTED", 2)
    [left] = result["left"]
    assert (left["start"], left["stop"], left["windows"]) == (
        "2025-03-02T22:00:00Z",
        "2025-03-03T00:00:00Z",
        2,
    )
    assert left["why"].startswith("WriteRejected: ")
    assert "temp_sum" in left["why"]


def test_days_are_healed_in_their_zone_when_the_lookback_is_in_months(scene: Scene) -> None:
    spec = replace(
        scene.spec, grid=GridSpec("1d", timezone="Europe/Berlin"), pipeline="days", target_measurement="days"
    )
    day = interval("2025-03-03T23:00", "2025-03-04T23:00")
    result = drive(
        roll_up(spec, day, RUN, lambda: datetime(2025, 3, 5, tzinfo=UTC), options=RollupOptions(heal="1mo")),
        scene.place.client,
        lambda _report: None,
    ).as_json()
    # from February 4, the first day that begins after February 3, 23:00 less a bit, to March 3
    assert result["healed"] == 28
    assert result["left"] == []
    wanted = rollup(scene.points, TAGS, local_days("2025-02-27", "2025-03-04", "Europe/Berlin"), RULES)
    assert compare(scene.place.stored("days"), wanted) == []


def test_lookback_is_healed_in_the_triggerer_too_when_the_rollup_is_deferred(scene: Scene) -> None:
    options = RollupOptions(heal="3d").as_json()
    job = {
        "spec": {**scene.spec.as_json(), "options": options},
        "intervals": [AFTER.as_json()],
        "run_info": asdict(RUN),
    }
    steps = steps_from_job(json.loads(json.dumps(job)), lambda: CLOCK)
    assert drive(steps, scene.place.client, lambda _report: None).as_json()["healed"] == GAP


def test_next_run_heals_the_rest_when_a_run_dies_between_any_two_steps(scene: Scene) -> None:
    span = hour(1, 9)
    options = RollupOptions(heal="1h")
    for boundary in range(80):
        name = f"target{boundary}"
        spec = replace(scene.spec, pipeline=name, target_measurement=name)
        steps = roll_up(spec, span, RUN, lambda: CLOCK, options=options)
        if not acted(steps, scene.place.client, boundary):
            break
        later = roll_up(
            spec, span, replace(RUN, run_id="later"), lambda: CLOCK + timedelta(minutes=16), options=options
        )
        result = drive(later, scene.place.client, lambda _report: None).as_json()
        assert result["left"] == [], boundary
        wanted = rollup(scene.points, TAGS, windows("2025-03-01T08:00", "2025-03-01T10:00", "1h"), RULES)
        assert compare(scene.place.stored(name), wanted) == [], boundary
        assert list(scene.place.states(name).values()) == ["COMMITTED"] * 2
    assert 5 < boundary < 79


def test_run_fails_when_the_server_goes_away_while_it_heals(scene: Scene) -> None:
    steps = roll_up(scene.spec, AFTER, RUN, lambda: CLOCK, options=RollupOptions(heal="3d"))
    assert acted(steps, scene.place.client, 4)
    with pytest.raises(InfluxUnavailable):
        steps.throw(InfluxUnavailable("connection refused"))


def acted(steps: Any, client: InfluxClient, changes: int) -> bool:
    """Act out until so many changes are done and another one is next; False when there are fewer."""
    try:
        step = next(steps)
        while changes or not may_change(step):
            changes -= may_change(step)
            step = steps.send(None if isinstance(step, Report) else act(step, client))
    except StopIteration:
        return False
    return True
