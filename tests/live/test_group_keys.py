"""A key of group_by that no series has, such as a misspelt one, is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval, to_ns

pytestmark = pytest.mark.live

START = datetime(2025, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPAN = Interval(START, START + 2 * HOUR)
# in a shard group of its own: the index knows tag keys of whole shard groups
LATER = Interval(START + 2400 * HOUR, START + 2401 * HOUR)


@pytest.mark.parametrize("dry_run", [False, True])
def test_key_is_named_when_no_series_of_the_windows_has_it(
    client: InfluxClient, bucket_factory: Callable[[], str], *, dry_run: bool
) -> None:
    raw, target, ledger = (bucket_factory() for _ in range(3))
    lines = [
        f"m,site={site},rack=1 v={hour} {to_ns(START + hour * HOUR)}" for hour in (0, 1) for site in "ab"
    ]
    client.write_lines(raw, [*lines, f"m,later=x v=1 {to_ns(LATER.start)}"])

    def told_of(measurement: str, keys: tuple[str, ...] | None, interval: Interval = SPAN) -> list[str]:
        """What is told about keys; the log says the same as the result."""
        spec = RollupSpec(
            source_bucket=raw,
            target_bucket=target,
            measurement=measurement,
            target_measurement=f"{measurement} by {keys}",
            grid=GridSpec("1h"),
            aggregates=("count",),
            group_by=keys,
            ledger_bucket=ledger,
        )
        warnings: list[str] = []

        def hear(report: object) -> None:
            if getattr(report, "level", "") == "warning":
                warnings.append(str(getattr(report, "message", "")))

        steps = roll_up(spec, interval, RunInfo(), lambda: LATER.stop + HOUR, dry_run=dry_run)
        notes = [note for note in drive(steps, client, hear).as_json()["notes"] if "of group_by" in note]
        assert notes == [one for one in warnings if "of group_by" in one]
        return notes

    (told,) = told_of("m", ("stie", "site", "later"))
    assert f"measurement 'm' in bucket {raw!r} has the key 'stie', 'later' of group_by" in told
    assert told.endswith("so it separates nothing; the series have the keys 'rack', 'site'")
    for right in (("site",), ("rack", "site"), (), None):
        assert told_of("m", right) == []
    # where there are no points nothing is merged
    assert told_of("n", ("stie",)) == []
    assert told_of("m", ("later",), LATER) == []
