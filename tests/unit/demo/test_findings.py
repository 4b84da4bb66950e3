"""What the demo says of devices that stopped."""

from __future__ import annotations

import pandas as pd
import pytest

from dev.demo.report import finding_of

STOPPED = ("crit", "series device_id=device-002 stopped: its last point is 1 h old")
BACK = ("ok", "series device_id=device-002 came back: 360 points")
NEVER = ("crit", "series device_id=device-002 never started: no point of it was ever seen")


@pytest.mark.parametrize(
    ("statuses", "finding"),
    [
        ([STOPPED], "stopped"),
        ([BACK, STOPPED, STOPPED], "stopped"),
        ([BACK, STOPPED, BACK], "stopped, came back"),
        ([STOPPED, BACK, STOPPED], "stopped"),
        ([NEVER, NEVER], "never started"),
    ],
)
def test_device_is_called_back_when_its_last_status_is_ok(
    statuses: list[tuple[str, str]], finding: str
) -> None:
    times = pd.date_range("2026-01-01", periods=len(statuses), freq="h", tz="UTC")
    table = pd.DataFrame(
        [(time, level, message) for time, (level, message) in zip(times, statuses, strict=True)],
        columns=["time", "level", "message"],
    )
    assert finding_of(table, "device-002") == finding
