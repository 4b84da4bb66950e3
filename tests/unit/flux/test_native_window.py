"""The ``v`` that is put into a script, without a server: its place, its text, its arithmetic, and taking it out again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.native_window import (
    BEGIN,
    needs_window,
    with_window,
    without_window,
)
from airflow_provider_influx_rollup.lint.parser import parse_flux
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import from_ns, to_ns

TASK = 'option task = {name: "t", every: 1h}\n'
READ = 'from(bucket: "a") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)\n'
HEADS = ["", "// täglich\n", 'import "date"\n', '// ä\nimport "date"  // ü\nimport s "strings"\n\n']
EVERIES = ["1s", "7m", "15m", "1h", "90m", "6h", "1d", "3d", "1w", "2w"]
INSTANTS = st.integers(-157_766_400_000_000_000, 2_840_140_800_000_000_000)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(("every", "zone"), [("1h", "UTC"), ("1d", "Europe/Berlin"), ("3mo", "Asia/Kolkata")])
def test_v_stands_behind_the_imports_and_is_taken_out_again(head: str, every: str, zone: str) -> None:
    script = head + TASK + READ
    package = parse_flux(script)
    assert needs_window(package)
    made = with_window(script, package, Duration.parse(every), zone)
    again = parse_flux(made)
    assert not needs_window(again)
    (file,) = again["files"]
    names = [statement.get("assignment", {}).get("id", {}).get("name") for statement in file["body"]]
    assert names[:2] == ["v", "task"]
    assert made.count(BEGIN) == 1
    own = {one["path"]["value"] for one in file["imports"]} - {"strings"}
    assert own == ({"date"} if "date" in head else set()) | (set() if zone == "UTC" else {"date", "timezone"})
    assert without_window(made) == script
    assert without_window(script) == script


def test_nothing_is_put_in_where_v_is_set_or_not_read() -> None:
    for script in (f"{TASK}v = {{timeRangeStart: -1h}}\n{READ}", TASK, f"{TASK}x = (v) => v.other\n"):
        assert not needs_window(parse_flux(script))
    assert needs_window(parse_flux(f'{TASK}x = v["windowPeriod"]\n'))


@pytest.mark.parametrize(("every", "zone"), [("1w", "Europe/Berlin"), ("2d", "Europe/Berlin")])
def test_windows_that_flux_cannot_compute_are_refused(every: str, zone: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot compute"):
        with_window(TASK + READ, parse_flux(TASK + READ), Duration.parse(every), zone)


@given(every=st.sampled_from(EVERIES), now_ns=INSTANTS)
def test_the_arithmetic_of_fixed_windows_is_that_of_the_grid(every: str, now_ns: int) -> None:
    now_ns -= now_ns % 1000
    text = with_window(TASK + READ, parse_flux(TASK + READ), Duration.parse(every))
    stop_of, start_of = (
        re.search(pattern, text) for pattern in (r"stop = (.*)", r"timeRangeStart: time\(v: (.*?)\),")
    )
    assert stop_of is not None
    assert start_of is not None

    def remainder(a: int, b: int) -> int:
        """Flux takes the sign of the dividend, as Go does."""
        return a - b * int(abs(a) // b) * (1 if a >= 0 else -1)

    matched = re.fullmatch(r"at - \(\(at - \((-?\d+)\)\) % (\d+) \+ (\d+)\) % (\d+)", stop_of[1])
    assert matched is not None
    anchor, length, again, last = map(int, matched.groups())
    assert length == again == last
    stop = now_ns - remainder(remainder(now_ns - anchor, length) + length, length)
    window = Grid.of(every).window_at(from_ns(now_ns))
    assert stop == to_ns(window.start)
    assert start_of[1] == f"stop - {length}"
    assert length == Duration.parse(every).nanoseconds


def test_weeks_begin_on_monday() -> None:
    text = with_window(TASK + READ, parse_flux(TASK + READ), Duration.parse("1w"))
    anchor = re.search(r"at - \((-?\d+)\)", text)
    assert anchor is not None
    assert (
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(anchor[1]) // 1000)
    ).isoweekday() == 1
