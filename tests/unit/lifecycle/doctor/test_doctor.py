"""What an examination says, without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.archive.annotated_rows import Row
from airflow_provider_influx_rollup.exceptions import InfluxForbidden
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.ledger.codec import encode_spec
from airflow_provider_influx_rollup.lifecycle.doctor.doctor import examine
from airflow_provider_influx_rollup.lifecycle.doctor.findings import Finding, Severity, describe
from airflow_provider_influx_rollup.lifecycle.doctor.retention import check_retention
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.steps.influx import Bucket, CheckWritable, FindBucket, Gather
from airflow_provider_influx_rollup.windows.interval import to_ns

NOW = datetime(2025, 3, 1, tzinfo=UTC)
DAY = 86_400
HOURLY = RollupSpec(
    source_bucket="raw",
    target_bucket="hourly",
    measurement="m",
    grid=GridSpec("1h"),
    aggregates=("count",),
    lateness="10m",
    pipeline="hourly",
)
MONTHLY = RollupSpec(
    source_bucket="hourly",
    target_bucket="monthly",
    measurement="m",
    grid=GridSpec("1mo"),
    aggregates=("count",),
    pipeline="monthly",
)


class Server:
    """Answers the steps of an examination; all is well unless told otherwise."""

    def __init__(self, *specs: RollupSpec) -> None:
        self.specs = specs
        names = {name for spec in specs for name in (spec.source_bucket, spec.target_bucket)} | {"ledger"}
        self.buckets: dict[str, Bucket | None] = {
            name: Bucket(name=name, retention_seconds=0, shard_group_seconds=7 * DAY) for name in names
        }
        self.forbidden: set[str] = set()
        self.clock_ahead = timedelta()
        self.writing: list[dict[str, Any]] = []
        self.hashes: list[dict[str, Any]] = []

    def examine(self) -> dict[str, list[Finding]]:
        steps = examine("ledger", lambda: NOW, stuck_after=timedelta(hours=1), drift_since=timedelta(days=30))
        send: Any = steps.send
        answer: Any = None
        while True:
            try:
                step = send(answer)
            except StopIteration as end:
                findings: list[Finding] = end.value
                return {one.check: [two for two in findings if two.check == one.check] for one in findings}
            try:
                answer, send = self.act(step), steps.send
            except InfluxForbidden as error:
                answer, send = error, steps.throw

    def act(self, step: Any) -> Any:
        if isinstance(step, Gather):
            return [self.act(inner) for inner in step.steps]
        if isinstance(step, FindBucket):
            return self.buckets[step.name]
        if isinstance(step, CheckWritable):
            if step.bucket in self.forbidden:
                what = "no"
                raise InfluxForbidden(what)
            return None
        assert isinstance(step, RowsQuery)
        return step.read(
            [
                Row(row, yield_name=row.yield_name if isinstance(row, Row) else "")
                for row in self.rows(step.flux())
            ]
        )

    def rows(self, flux: str) -> Sequence[Mapping[str, Any]]:
        if "system.time" in flux:
            return [{"_value": NOW + self.clock_ahead}]
        if "pipeline_spec" in flux:
            lines = [
                encode_spec(spec.pipeline_name, spec.spec_hash(), spec.as_json(), NOW) for spec in self.specs
            ]
            assert all(lines)
            return [row for spec in self.specs for row in spec_rows(spec)]
        return self.writing if "WRITING" in flux else self.hashes


def spec_rows(spec: RollupSpec) -> list[Row]:
    import json

    key = {"pipeline": spec.pipeline_name, "spec_hash": spec.spec_hash()}
    fields = {"spec": json.dumps(spec.as_json()), "last_used_ns": to_ns(NOW)}
    return [
        Row({**key, "_field": name, "_value": value}, yield_name="specs") for name, value in fields.items()
    ]


def statuses(found: Mapping[str, list[Finding]]) -> dict[str, list[str]]:
    return {check: [one.status.value for one in findings] for check, findings in found.items()}


def test_all_is_ok_when_nothing_is_wrong() -> None:
    found = statuses(Server(HOURLY, MONTHLY).examine())
    assert set(found) == {
        "clock",
        "ledger",
        "buckets",
        "names",
        "permissions",
        "retention",
        "writing",
        "specs",
    }
    assert {status for all_of in found.values() for status in all_of} == {"ok"}


@pytest.mark.parametrize(("seconds", "status"), [(4, "ok"), (-30, "warn"), (90, "fail")])
def test_clock_is_judged_when_the_server_has_another(seconds: int, status: str) -> None:
    server = Server(HOURLY)
    server.clock_ahead = timedelta(seconds=seconds)
    (finding,) = server.examine()["clock"]
    assert finding.status.value == status
    assert ("behind" if seconds < 0 else "ahead") in finding.message


def test_ledger_fails_when_it_forgets_or_may_not_be_written() -> None:
    server = Server(HOURLY)
    server.buckets["ledger"] = Bucket(name="ledger", retention_seconds=30 * DAY, shard_group_seconds=DAY)
    assert statuses(server.examine())["ledger"] == ["fail"]
    server.buckets["ledger"] = Bucket(name="ledger", retention_seconds=0, shard_group_seconds=DAY)
    server.forbidden = {"ledger", "hourly"}
    assert statuses(server.examine()) | {"ledger": ["fail"], "permissions": ["fail"]} == statuses(
        server.examine()
    )
    server.buckets["ledger"] = None
    found = server.examine()
    assert statuses(found) == {"clock": ["ok"], "ledger": ["warn"]}
    assert "retention 0" in found["ledger"][0].fix


def test_pipeline_is_orphaned_when_its_bucket_has_gone() -> None:
    server = Server(HOURLY, MONTHLY)
    server.buckets["hourly"] = None
    found = server.examine()
    assert [one.message.split(",")[0] for one in found["buckets"]] == [
        "pipeline 'hourly': no target bucket 'hourly'",
        "pipeline 'monthly': no source bucket 'hourly'",
    ]
    assert statuses(found)["permissions"] == ["ok"]


def test_windows_are_stuck_when_they_are_writing_for_long() -> None:
    server = Server(HOURLY)
    minute_ago, day_ago = (to_ns(NOW - timedelta(minutes=minutes)) for minutes in (1, 1440))
    server.writing = [{"pipeline": "hourly", "written_at_ns": minute_ago}]
    assert statuses(server.examine())["writing"] == ["ok"]
    server.writing += [{"pipeline": "hourly", "written_at_ns": day_ago}] * 2
    (finding,) = server.examine()["writing"]
    assert finding.status is Severity.FAIL
    assert "2 of 'hourly'" in finding.message
    assert finding.fix == "run them again: `influx-rollup coverage` lists them"
    server.writing += [{"pipeline": "a script", "written_at_ns": day_ago}]
    (finding,) = server.examine()["writing"]
    assert "1 of 'a script', 2 of 'hourly'" in finding.message
    assert finding.fix.endswith("those of scripts, queries over the ledger")


def test_specs_drift_when_recent_windows_have_another_hash() -> None:
    server = Server(HOURLY)
    server.hashes = [
        {"pipeline": "hourly", "spec_hash": HOURLY.spec_hash(), "_value": 90},
        {"pipeline": "hourly", "spec_hash": "old", "_value": 7},
        {"pipeline": "a script", "spec_hash": "any", "_value": 7},
    ]
    (finding,) = server.examine()["specs"]
    assert finding.status is Severity.WARN
    assert "7 of 'hourly'" in finding.message
    assert "script" not in finding.message


@pytest.mark.parametrize(
    ("raw", "hourly", "monthly", "expected"),
    [
        (0, 0, 0, ["ok"]),
        (7 * DAY, 365 * DAY, 0, ["ok"]),
        # a window of an hour and 10 minutes of lateness do not fit into an hour
        (3600, 0, 0, ["fail hourly"]),
        (7 * DAY, 3600, 0, ["fail hourly", "fail monthly"]),
        # the month's first hours are gone when it ends
        (7 * DAY, 30 * DAY, 0, ["fail monthly"]),
        # and it waits for the lateness of its last hour
        (7 * DAY, 31 * DAY + 300, 0, ["fail monthly"]),
        # the months keep what the hours do not
        (90 * DAY, 60 * DAY, 0, ["ok"]),
        (0, 60 * DAY, 0, ["ok"]),
        (90 * DAY, 60 * DAY, 90 * DAY, ["ok"]),
        (90 * DAY, 60 * DAY, 80 * DAY, ["warn hourly"]),
        (0, 60 * DAY, 90 * DAY, ["warn hourly"]),
        (0, 60 * DAY, 30 * DAY, ["warn hourly", "fail monthly"]),
    ],
)
def test_retention_is_judged_when_buckets_forget(
    raw: int, hourly: int, monthly: int, expected: list[str]
) -> None:
    lengths = {"raw": raw, "hourly": hourly, "monthly": monthly}
    buckets: dict[str, Bucket | None] = {
        name: Bucket(name=name, retention_seconds=length, shard_group_seconds=0)
        for name, length in lengths.items()
    }
    found = check_retention({"hourly": HOURLY, "monthly": MONTHLY}, buckets)
    told = [
        f"{one.status.value} {name}" if name else one.status.value
        for one in found
        for name in [one.message.split("'")[1] if "'" in one.message else ""]
    ]
    assert told == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90, "90 s"), (3600, "1 h"), (5400, "90 min"), (86_400, "1 days"), (2_592_000, "30 days")],
)
def test_lengths_are_readable_when_they_are_described(seconds: float, text: str) -> None:
    assert describe(seconds) == text
