"""Times that are wrong for every pipeline are told once, before anything is read."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli import connection, pipelines, specs
from airflow_provider_influx_rollup.cli.exit_codes import UNUSABLE
from airflow_provider_influx_rollup.cli.interval import require_times
from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.exceptions import WindowError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec

NOW = datetime(2025, 3, 30, 12, 34, tzinfo=UTC)
BACKWARDS = ["--from", "2025-03-29", "--to", "2025-03-28"]
COMMANDS = (
    ["coverage"],
    ["receipts"],
    ["plan", "--pipeline", "*"],
    ["verify"],
    ["reconcile", "--pipeline", "*"],
)


def pipeline(every: str) -> RollupSpec:
    return RollupSpec(
        source_bucket="raw",
        target_bucket=f"of_{every}",
        measurement="m",
        grid=GridSpec(every),
        aggregates=("count",),
        pipeline=f"each {every}",
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Two pipelines in a ledger; what is asked of the server beside them."""
    known, seen = [pipeline("5m"), pipeline("1h")], list[Any]()

    @contextmanager
    def connect(*_args: Any, **_options: Any) -> Iterator[SimpleNamespace]:
        client = SimpleNamespace(now=lambda: NOW)
        yield SimpleNamespace(client=client, ledger_bucket="ledger", drive=seen.append)

    monkeypatch.setattr(connection, "connect", connect)
    for place in (pipelines, specs):
        monkeypatch.setattr(place, "chosen_pipelines", lambda *_args: known)
    return seen


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[0]))
@pytest.mark.parametrize(
    ("times", "told"),
    [
        (BACKWARDS, "--from 2025-03-29 is not before --to 2025-03-28"),
        (["--from", "2025-04-01"], "--from 2025-04-01 is not before --to now"),
        (["--from", "2025-03-29", "--last", "1d"], "--from and --last both name the start"),
        (["--from", "2025-03-29T10:00:00"], "has no time zone"),
    ],
)
def test_a_wrong_time_is_told_once_when_there_are_several_pipelines(
    command: list[str], times: list[str], told: str, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *times]) == UNUSABLE
    said = capsys.readouterr()
    assert (said.out + said.err).count(told) == 1
    assert asked == []


def test_a_time_is_left_to_each_pipeline_when_it_is_right_for_one() -> None:
    # no hour that begins after 12:00 has ended yet, but some of five minutes have
    args = Namespace(start="2025-03-30T12:05:00Z", stop=None, last="7d")
    require_times(args, [pipeline("1h"), pipeline("5m")], NOW)
    with pytest.raises(WindowError, match="is not before"):
        require_times(args, [pipeline("1h")], NOW)
