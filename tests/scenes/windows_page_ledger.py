"""A ledger with windows in every state, made by real rollups where a run makes them: what the page is looked at with."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from airflow_provider_influx_rollup.client.driver import ACTIONS, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.ledger.codec import encode_incomplete, encode_put_back, encode_receipts
from airflow_provider_influx_rollup.ledger.purges import PURGED, PurgeMark, encode_mark
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.ledger.history import read_receipts
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Write
from airflow_provider_influx_rollup.windows.interval import Interval

DAYS = 7
STEP = timedelta(minutes=10)
MEASUREMENTS = ("cpu", "mem", "disk")
RUN = RunInfo(dag_id="telemetry", task_id="rollup", run_id="scheduled__2026", try_number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLedger:
    """What was made.

    :param hourly: the hourly pipeline of ``cpu``
    :param behind: that of ``disk``, which lacks two days
    :param late: a window of it that has got a point since it was committed
    :param torn: a window that a run was writing when it was killed
    """

    ledger: str
    hourly: RollupSpec
    behind: RollupSpec
    late: Interval
    torn: Interval


def fill(client: InfluxClient, prefix: str, now: datetime | None = None) -> PageLedger:
    """Three measurements with an hourly and a daily tier over a week.

    :param prefix: of the buckets' names
    """
    # what ended before is due
    before = (now or datetime.now(UTC)) - timedelta(hours=1)
    midnight = before.replace(hour=0, minute=0, second=0, microsecond=0)
    span = Interval(midnight - timedelta(days=DAYS), midnight)
    raw, hourly, daily, ledger = (f"{prefix}_{name}" for name in ("raw", "hourly", "daily", "ledger"))
    for bucket in (raw, hourly, daily, ledger):
        client.ensure_bucket(bucket)
    instants = [span.start + number * STEP for number in range(int(span.duration / STEP))]
    client.write_lines(
        raw,
        [
            line(name, device, instant)
            for name in MEASUREMENTS
            for device in ("a-1", "b-2")
            for instant in instants
            if device == "a-1" or instant < midnight - timedelta(days=1)
        ],
    )
    specs = []
    torn = Interval(midnight - timedelta(hours=1), midnight)
    for number, name in enumerate(MEASUREMENTS):
        base = RollupSpec(
            source_bucket=raw,
            target_bucket=hourly,
            measurement=name,
            aggregates=("count", "sum", "max"),
            grid=GridSpec("1h"),
            lateness="10m",
            ledger_bucket=ledger,
        )
        tier = replace(
            base,
            source_bucket=hourly,
            target_bucket=daily,
            grid=GridSpec("1d"),
            source_tier=base.pipeline_name,
        )
        # each one is a day behind the one before, and the first one lacks an hour
        done = Interval(span.start, midnight - timedelta(days=number))
        _roll(client, base, done if number else Interval(span.start, torn.start))
        _roll(client, tier, done if number else Interval(span.start, midnight - timedelta(days=1)))
        specs.append(base)
    _states(client, specs, span)
    cpu = specs[0]
    late = Interval(span.start + timedelta(hours=30), span.start + timedelta(hours=31))
    client.write_lines(raw, [line("cpu", "a-1", late.start + timedelta(minutes=25, seconds=1))])
    _die_in(client, cpu, torn)
    return PageLedger(ledger=ledger, hourly=cpu, behind=specs[2], late=late, torn=torn)


def line(name: str, device: str, instant: datetime) -> str:
    """A point of a device."""
    nanoseconds = int(instant.timestamp()) * 10**9
    return f"{name},device={device} used={instant.hour * 1.5 + instant.minute / 60} {nanoseconds}"


def _roll(client: InfluxClient, spec: RollupSpec, interval: Interval) -> None:
    drive(roll_up(spec, interval, RUN, lambda: datetime.now(UTC)), client, lambda _report: None)


class _Killed(BaseException):
    """No error that a verb could catch: the process is gone."""


def _die_in(client: InfluxClient, spec: RollupSpec, window: Interval) -> None:
    """Roll a window up in a process that is killed when it is about to write the rows."""

    def write(_client: InfluxClient, step: Write) -> None:
        if step.bucket == spec.target_bucket:
            raise _Killed
        ACTIONS[Write](_client, step)

    steps = roll_up(spec, window, RUN, lambda: datetime.now(UTC))
    with suppress(_Killed):
        drive(steps, client, lambda _report: None, {**ACTIONS, Write: write})


def _states(client: InfluxClient, specs: list[RollupSpec], span: Interval) -> None:
    """What other verbs, and runs that were killed, leave in a ledger."""
    _, mem, disk = specs
    ledger = mem.ledger_bucket
    begin = span.start + timedelta(days=4)
    read = read_receipts(mem, Interval(begin, begin + timedelta(hours=36)))
    receipts = drive(read, client, lambda _report: None)
    now = datetime.now(UTC)
    planned = [replace(one, state=State.PLANNED, written_at=now, claim_id="") for one in receipts[15:17]]
    stale = [replace(one, spec_hash="of an earlier spec", written_at=now) for one in receipts[20:30]]
    lacking = [replace(one, incomplete="device=b-2", written_at=now) for one in receipts[0:4]]
    archived = Receipt(
        pipeline=f"{disk.source_bucket}/disk->archive",
        stage="archive",
        window=Interval(span.start, span.start + timedelta(days=3)),
        state=State.COMMITTED,
        written_at=now,
        generation=1,
        rows_in=576,
        rows_out=576,
        series=2,
        checksum="9f1c0d2e4b5a6877",
        dag_id="telemetry",
        task_id="archive",
        run_id="scheduled__2026",
    )
    purged = PurgeMark(
        bucket=disk.source_bucket,
        measurement="disk",
        window=Interval(span.start, span.start + timedelta(days=1, hours=12)),
        state=PURGED,
        generation=1,
        compared_at=now,
    )
    lines = [*encode_receipts([*stale, archived]), *encode_put_back(planned)]
    client.write_lines(ledger, [*lines, *encode_incomplete(lacking), encode_mark(purged)])
