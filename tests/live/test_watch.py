"""``influx-rollup watch`` while windows are rolled up beside it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from datetime import timedelta

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import Place, interval, make_place, make_points, roll

pytestmark = pytest.mark.live

DAY = ("2025-03-01", "2025-03-02")
LINE = re.compile(r"(\d+)%: (\d+) windows committed, (\d+) to do")


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    place = make_place(influx, client)
    place.write(make_points(*DAY, 24))
    roll(client, place.spec("1h", ("count",)), interval(f"{DAY[0]}T00:00", f"{DAY[0]}T06:00"))
    return place


def command(place: Place) -> list[str]:
    program = [sys.executable, "-m", "airflow_provider_influx_rollup.cli", "watch", "--refresh", "100ms"]
    return [*program, "--from", DAY[0], "--to", DAY[1], "--ledger-bucket", place.ledger]


def test_watch_follows_windows_until_all_are_committed(place: Place, client: InfluxClient) -> None:
    spec = place.spec("1h", ("count",))
    with subprocess.Popen(command(place), stdout=subprocess.PIPE, text=True, bufsize=1) as watching:
        assert watching.stdout is not None
        looks = [LINE.match(watching.stdout.readline())]
        for start in range(6, 24, 6):
            begin = interval(f"{DAY[0]}T{start:02}:00", f"{DAY[0]}T{start + 5:02}:00").start
            roll(
                client, spec, interval(begin.isoformat()[:16], (begin + timedelta(hours=6)).isoformat()[:16])
            )
        looks += [LINE.match(line) for line in watching.stdout]
        assert watching.wait(timeout=60) == 0
    counts = [tuple(map(int, look.groups())) for look in looks if look is not None]
    assert len(counts) == len(looks)
    assert counts[0] == (25, 6, 18)
    assert counts[-1] == (100, 24, 0)
    assert counts == sorted(counts)
    assert all(committed + needed == 24 for _, committed, needed in counts)


def test_watch_redraws_a_terminal(place: Place, client: InfluxClient) -> None:
    roll(client, place.spec("1h", ("count",)), interval(f"{DAY[0]}T06:00", f"{DAY[1]}T00:00"))
    ours, theirs = pty.openpty()
    try:
        environment = os.environ | {"COLUMNS": "80", "TERM": "xterm"}
        done = subprocess.run(command(place), stdout=theirs, timeout=60, check=False, env=environment)
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0
    assert "#" * 24 in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert "100%: 24 windows committed, 0 to do" in shown
