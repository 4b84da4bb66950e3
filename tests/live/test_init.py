"""From a bucket of points to tiers: init writes the files, run fills the tiers, coverage says that all is there."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from tests.conftest import InfluxServer

pytestmark = pytest.mark.live


@pytest.fixture
def ask(
    capsys: pytest.CaptureFixture[str], influx: InfluxServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    for name, value in (("URL", influx.url), ("ORG", influx.org), ("TOKEN", influx.token)):
        monkeypatch.setenv(f"INFLUX_{name}", value)

    def run(*argv: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main([*argv, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_newcomer_has_tiers_after_three_commands(
    client: InfluxClient, tmp_path: Path, ask: Callable[..., Any]
) -> None:
    bucket, ledger = f"telegraf-{uuid.uuid4().hex[:8]}", f"ledger_{uuid.uuid4().hex[:8]}"
    client.ensure_bucket(bucket)
    # the windows of the last hour are due a minute after it
    ready = datetime.now(UTC) - timedelta(minutes=1)
    start = ready.replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    times = [int((start + timedelta(minutes=at)).timestamp()) * 10**9 for at in range(180)]
    client.write_lines(bucket, [f"cpu,host=a,cpu=cpu0 usage_idle=9{at % 10}.5 {at}" for at in times])
    client.write_lines(
        bucket, [f'system,host=a load1=0.5,uptime=5i,uptime_format="1 day" {at}' for at in times]
    )

    where = ("--bucket", bucket, "--folder", str(tmp_path), "--ledger-bucket", ledger)
    code, told = ask("init", *where)
    assert (code, told["measurements"]) == (0, ["cpu", "system"])
    text = Path(told["lifecycle"]).read_text()
    assert "uptime_format: [count, last]" in text
    assert "usage_idle" not in text
    # hours of today and of yesterday can be run by hand, also right after midnight
    (day,) = re.findall(r"start_date=datetime\((\d+), (\d+), (\d+),", Path(told["dag"]).read_text())
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert datetime(*map(int, day), tzinfo=UTC) <= midnight - timedelta(days=1)
    span = ("--from", start.isoformat(), "--to", (start + timedelta(hours=3)).isoformat())
    code, told = ask("run", told["lifecycle"], *span)
    assert code == 0
    done = {
        stage["result"]["pipeline"]: stage["result"].get("windows")
        for one in told["measurements"]
        for stage in one["stages"]
        if stage["stage"] == "rollup"
    }
    assert (done[f"{bucket}_5m:cpu"], done[f"{bucket}_1h:system"]) == (36, 3)
    code, told = ask("coverage", *span, "--pipeline", f"{bucket}_1h:*", "--ledger-bucket", ledger)
    assert (code, [one["states"]["committed"] for one in told["pipelines"]]) == (0, [3, 3])
    # what init declares is right for doctor, when each tier has run
    ask("run", str(next(tmp_path.glob("*.yaml"))), "--last", "1d")
    code, told = ask("doctor", "--ledger-bucket", ledger)
    assert [one["message"] for one in told["findings"] if one["check"] == "retention"] == [
        "every bucket keeps points longer than its windows need"
    ]
    # without a start it begins where an hour begins
    code, told = ask("rollup", str(next(tmp_path.glob("*.yaml"))), "--last", "2h")
    stages = [one["stages"] for one in told["measurements"]]
    assert {stage["result"].get("left") for some in stages for stage in some[1:2]} <= {1, 2, 3}
    assert code == 0
    (dag,) = tmp_path.glob("*_lifecycle.py")
    compile(dag.read_text(), str(dag), "exec")

    code, told = ask("init", *where)
    assert (code, "there already" in told["error"]["message"]) == (2, True)


def test_nothing_is_written_when_there_is_nothing_to_roll_up(
    client: InfluxClient, tmp_path: Path, ask: Callable[..., Any]
) -> None:
    empty = f"empty_{uuid.uuid4().hex[:8]}"
    client.ensure_bucket(empty)
    for bucket, told in ((empty, "has no points"), (f"{empty}_no", "does not exist")):
        code, answer = ask("init", "--bucket", bucket, "--folder", str(tmp_path))
        assert (code, told in answer["error"]["message"]) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_init_says_what_it_leaves_out_when_kinds_differ_or_a_name_is_a_template(
    client: InfluxClient, bucket_factory: Callable[[str], str], tmp_path: Path, ask: Callable[..., Any]
) -> None:
    bucket = bucket_factory("mixed")
    lines = ["power value=1.5,load=1", 'door value="open"', r"job\ {{ds}} x=1"]
    client.write_lines(bucket, [f"{line} {10**18}" for line in lines])
    code, told = ask("init", "--bucket", bucket, "--folder", str(tmp_path))
    assert (code, told["measurements"]) == (0, ["door", "power"])
    template, kinds = told["notes"]
    assert "'job {{ds}}' is left out" in template
    assert "'value' is a number in power and none in door" in kinds
    assert "{{" not in Path(told["lifecycle"]).read_text()
