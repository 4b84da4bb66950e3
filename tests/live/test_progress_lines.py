"""What the log of a long run says of its progress, of stages that are not done by windows alone."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client import driver
from airflow_provider_influx_rollup.client.driver import Actions
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import WindowsFailed
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.erase_scene import EraseScene, make_erase_scene

pytestmark = pytest.mark.live

LINE = re.compile(r"(\d+)%: ([\d,]+) (.+), ([\d,]+) to do(?:, (\d+) refused)?, ")
HOUR = timedelta(hours=1)


@dataclass
class SlowRun:
    """A run of which each look at the clock is half a minute later.

    :ivar told: what its log has
    """

    told: list[str] = field(default_factory=list)

    def drive(self, steps: Steps[Any], client: InfluxClient, actions: Actions = driver.ACTIONS) -> None:
        driver.drive(steps, client, lambda report: self.told.append(report.message), actions)

    def progress(self, what: str) -> list[tuple[int, ...]]:
        """Percent, done, to do and refused of each line about something."""
        found = [match for line in self.told if (match := LINE.match(line)) and match[3] == what]
        return [tuple(int((match[n] or "0").replace(",", "")) for n in (1, 2, 4, 5)) for match in found]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowRun:
    seconds = count(0, 31)
    monkeypatch.setattr(driver.time, "monotonic", lambda: float(next(seconds)))
    return SlowRun()


def test_windows_that_retention_has_reached_are_refused_and_not_to_do(
    client: InfluxClient, slow: SlowRun
) -> None:
    name = uuid.uuid4().hex[:12]
    source, target = f"raw_{name}", f"rolled_{name}"
    client.ensure_bucket(source, retention_seconds=86_400)
    client.ensure_bucket(target)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 12 * HOUR
    lines = [f"m t={hour} {int((start + hour * HOUR).timestamp())}000000000" for hour in range(12)]
    client.write_lines(source, lines)
    spec = RollupSpec(
        source_bucket=source,
        target_bucket=target,
        measurement="m",
        grid=GridSpec("1h"),
        aggregates=("sum",),
        ledger_bucket=f"ledger_{name}",
    )
    # by a clock of later, retention has reached four of the ten hours: no points are gone
    shard = client.find_bucket(source).shard_group_seconds  # type: ignore[union-attr]
    now = start + 4 * HOUR + timedelta(days=1, seconds=shard)
    steps = roll_up(
        spec,
        Interval(start, start + 10 * HOUR),
        RunInfo(),
        lambda: now,
        options=RollupOptions(windows_per_block=1, on_window_error="fail_at_end"),
    )
    with pytest.raises(WindowsFailed) as caught:
        slow.drive(steps, client)
    frozen = len(caught.value.failed)
    assert 0 < frozen < 10
    committed = 10 - frozen
    assert slow.progress("windows committed") == [
        (round(100 * done / committed), done, committed - done, frozen) for done in range(1, committed)
    ]


def test_validation_tells_how_many_points_it_has_judged(
    client: InfluxClient, bucket_factory: Callable[[], str], slow: SlowRun
) -> None:
    bucket = bucket_factory()
    start = datetime(2026, 3, 10, tzinfo=UTC)
    nanoseconds = int(start.timestamp()) * 10**9
    # a field that no rule asks for is not read
    client.write_lines(bucket, [f"m t={n % 7},other={n}i {nanoseconds + n * 60 * 10**9}" for n in range(600)])
    spec = ValidateSpec(
        bucket=bucket,
        measurement="m",
        rules=rules_of([{"rule": "spike", "field": "t", "max_change": 100, "per": "1m"}]),
        ledger_bucket=bucket_factory(),
        max_rows_per_read=100,
    )
    stop = start + 10 * HOUR
    slow.drive(validate(spec, Interval(start, stop), RunInfo(), lambda: stop), client)
    seen = slow.progress("points judged")
    assert len(seen) >= 5
    assert [percent for percent, _, _, _ in seen] == [round(done / 6) for _, done, _, _ in seen]
    assert all(done + left == 600 for _, done, left, _ in seen)
    assert [done for _, done, _, _ in seen] == sorted({done for _, done, _, _ in seen} - {0, 600})


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    return make_erase_scene(influx, client, tmp_path)


def test_erasure_tells_its_progress_and_names_no_customer(scene: EraseScene, slow: SlowRun) -> None:
    scene.fill()
    archive = replace(scene.spec, max_rows_per_read=1)
    steps = scene.erase_steps(archive=archive)
    slow.drive(steps, scene.client, actions_with(scene.store))
    # three archived hours are looked into, and written again; a second look finds nothing
    assert slow.progress("archived windows looked into") == [(33, 1, 2, 0), (67, 2, 1, 0)] * 2
    assert slow.progress("archived windows erased") == [(33, 1, 2, 0), (67, 2, 1, 0)]
    read = slow.progress("points to erase read")
    assert read
    assert all(done > 0 and left for _, done, left, _ in read)
    assert len(slow.progress("pipelines erased")) == 2
    # the customer's number may be one of the line's own
    assert not any("customer" in line for line in slow.told if LINE.match(line))
