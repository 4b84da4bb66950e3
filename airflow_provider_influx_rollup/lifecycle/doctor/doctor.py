"""Look for what will go wrong: the server, the token, buckets, retention, stuck windows, changed specs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.exceptions import BucketNotFound, InfluxForbidden
from airflow_provider_influx_rollup.flux.ledger_history import SpecCount, SpecCounts, UnfinishedReceipts
from airflow_provider_influx_rollup.flux.server_clock import ServerClock
from airflow_provider_influx_rollup.lifecycle.doctor.findings import Finding, Severity, describe
from airflow_provider_influx_rollup.lifecycle.doctor.retention import check_retention
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_pipelines
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket, CheckWritable, FindBucket, Gather
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval

Row = Mapping[str, Any]

CLOCK_WARN = timedelta(seconds=5)
CLOCK_FAIL = timedelta(seconds=60)


def examine(
    ledger_bucket: str, now: Clock, *, stuck_after: timedelta, drift_since: timedelta
) -> Steps[list[Finding]]:
    """Look at the server's clock, the ledger and every pipeline in it. Nothing is written.

    :param now: the clock, aware UTC
    :param stuck_after: how long a window may be WRITING
    :param drift_since: how far back windows of other specs are looked for
    :raises InfluxError: when the server cannot be asked
    """
    findings = [(yield from _check_clock(now))]
    ledger = yield from ask(FindBucket(ledger_bucket))
    findings.append((yield from _check_ledger(ledger_bucket, ledger)))
    if ledger is None:
        return findings
    pipelines = yield from load_pipelines(ledger_bucket)
    names = sorted({name for spec in pipelines.values() for name in (spec.source_bucket, spec.target_bucket)})
    looked_up = yield from ask(Gather(tuple(FindBucket(name) for name in names)))
    buckets: dict[str, Bucket | None] = dict(zip(names, looked_up, strict=True))
    findings += _check_buckets(pipelines, buckets)
    findings.append(_check_names(pipelines))
    findings += yield from _check_permissions(pipelines, buckets)
    findings += check_retention(pipelines, buckets)
    findings.append(
        _check_stuck(
            pipelines,
            (yield from ask(UnfinishedReceipts(ledger_bucket, _always(now())))),
            now(),
            stuck_after,
        )
    )
    starts = Interval(now() - drift_since, now())
    findings.append(_check_drift(pipelines, (yield from ask(SpecCounts(ledger_bucket, starts)))))
    return findings


def _always(now: datetime) -> Interval:
    return Interval(EPOCH, now + timedelta(days=1))


def _check_clock(now: Clock) -> Steps[Finding]:
    before = now()
    server = yield from ask(ServerClock())
    on_the_way = now() - before
    difference = server - (before + on_the_way / 2)
    # when in that time the server looked at its clock is unknown
    amount = max(abs(difference) - on_the_way / 2, timedelta())
    status = Severity.OK if amount < CLOCK_WARN else Severity.WARN if amount < CLOCK_FAIL else Severity.FAIL
    side = "ahead of" if difference > timedelta() else "behind"
    text = f"the server is at least {amount.total_seconds():.2f} s {side} this machine"
    if not amount:
        text = "server and machine show the same time"
    fix = (
        ""
        if status is Severity.OK
        else "let both take their time from NTP: windows are due by the server's clock, Airflow's schedules by its own"
    )
    return Finding("clock", status, text, fix)


def _check_ledger(name: str, ledger: Bucket | None) -> Steps[Finding]:
    if ledger is None:
        text = f"there is no bucket {name!r}, or the token may not read it"
        fix = "the first rollup makes it, when its token may create buckets; else create it with retention 0"
        return Finding("ledger", Severity.WARN, text, fix)
    if ledger.retention_seconds:
        text = f"bucket {name!r} keeps receipts for {describe(ledger.retention_seconds)} only"
        return Finding(
            "ledger", Severity.FAIL, text, "set its retention to 0: every rollup is refused until then"
        )
    refusal = yield from _write_refusal(name)
    if refusal:
        return Finding("ledger", Severity.FAIL, refusal, f"let the token write to bucket {name!r}")
    return Finding("ledger", Severity.OK, f"bucket {name!r} keeps receipts forever, and may be written")


def _write_refusal(bucket: str) -> Steps[str]:
    try:
        yield from ask(CheckWritable(bucket))
    except (InfluxForbidden, BucketNotFound):
        return f"the token may not write to bucket {bucket!r}"
    return ""


def _check_buckets(
    pipelines: Mapping[str, RollupSpec], buckets: Mapping[str, Bucket | None]
) -> Iterable[Finding]:
    orphaned = False
    for name, spec in sorted(pipelines.items()):
        gone = [
            f"{role} bucket {bucket!r}"
            for role, bucket in (("source", spec.source_bucket), ("target", spec.target_bucket))
            if buckets[bucket] is None
        ]
        if gone:
            orphaned = True
            text = f"pipeline {name!r}: no {' and no '.join(gone)}, or the token may not read it"
            fix = "let the token read it, create it, or delete the pipeline_spec record of a pipeline that is given up"
            yield Finding("buckets", Severity.FAIL, text, fix)
    if not orphaned:
        text = f"all buckets of all pipelines ({len(pipelines)}) are there and can be read"
        yield Finding("buckets", Severity.OK, text)


def _check_names(pipelines: Mapping[str, RollupSpec]) -> Finding:
    """Buckets that are called otherwise than when the ledger first met them; it knows them by their ids."""
    renamed: dict[tuple[str, str], int] = {}
    for spec in pipelines.values():
        for then, now in zip(spec.hashed_as or (), (spec.source_bucket, spec.target_bucket), strict=False):
            if then not in (now, f"{now} {then[-16:]}"):
                renamed[then, now] = renamed.get((then, now), 0) + 1
    if not renamed:
        return Finding("names", Severity.OK, "no bucket of a pipeline was renamed")
    named = "; ".join(
        f"{then!r} is {now!r} now, in {count} pipelines" for (then, now), count in sorted(renamed.items())
    )
    return Finding("names", Severity.OK, f"renamed buckets, which their pipelines follow: {named}")


def _check_permissions(
    pipelines: Mapping[str, RollupSpec], buckets: Mapping[str, Bucket | None]
) -> Steps[list[Finding]]:
    findings = []
    targets = sorted({spec.target_bucket for spec in pipelines.values() if buckets[spec.target_bucket]})
    for target in targets:
        refusal = yield from _write_refusal(target)
        if refusal:
            findings.append(
                Finding("permissions", Severity.FAIL, refusal, "give the token read and write for it")
            )
    if targets and not findings:
        findings.append(
            Finding(
                "permissions", Severity.OK, f"the token may write to every target bucket ({len(targets)})"
            )
        )
    return findings


def _check_stuck(
    pipelines: Mapping[str, RollupSpec],
    receipts: Iterable[tuple[str, datetime]],
    now: datetime,
    stuck_after: timedelta,
) -> Finding:
    writing: dict[str, int] = {}
    stuck: dict[str, int] = {}
    for pipeline, since in receipts:
        counted = stuck if since < now - stuck_after else writing
        counted[pipeline] = counted.get(pipeline, 0) + 1
    if stuck:
        names = ", ".join(f"{count} of {name!r}" for name, count in sorted(stuck.items()))
        text = f"windows are WRITING for more than {describe(stuck_after.total_seconds())}: {names}"
        fix = "run them again: `influx-rollup coverage` lists them"
        if not stuck.keys() <= pipelines.keys():
            fix += "; those of scripts, queries over the ledger"
        return Finding("writing", Severity.FAIL, text, fix)
    if writing:
        return Finding(
            "writing",
            Severity.OK,
            f"windows that are being written now: {sum(writing.values())}, none for long",
        )
    return Finding("writing", Severity.OK, "no window is WRITING")


def _check_drift(pipelines: Mapping[str, RollupSpec], counts: Iterable[SpecCount]) -> Finding:
    stale: dict[str, int] = {}
    for one in counts:
        spec = pipelines.get(one.pipeline)
        if spec is not None and one.spec_hash != spec.spec_hash():
            stale[one.pipeline] = stale.get(one.pipeline, 0) + one.receipts
    if not stale:
        return Finding("specs", Severity.OK, "all recent windows are of the spec in force")
    names = ", ".join(f"{count} of {name!r}" for name, count in sorted(stale.items()))
    fix = "backfill them, so that the whole target holds what is asked for now"
    return Finding("specs", Severity.WARN, f"recent windows are of an earlier spec: {names}", fix)
