from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from airflow_provider_influx_rollup.client import driver
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Progressed, Report
from airflow_provider_influx_rollup.steps.progress import Pace, ProgressMeter
from airflow_provider_influx_rollup.steps.step import Steps


def test_rate_and_time_left_are_those_of_the_looks() -> None:
    meter = ProgressMeter()
    first = meter.look(1000.0, 10, 90, 3)
    assert (first.committed, first.needed, first.lost, first.per_minute) == (10, 90, 3, 0.0)
    assert first.seconds_left is None
    assert first.share == pytest.approx(0.1)
    second = meter.look(1030.0, 40, 60, 3)
    assert second.per_minute == pytest.approx(60)
    assert second.seconds_left == pytest.approx(60)


def test_rate_forgets_what_was_long_ago() -> None:
    meter = ProgressMeter()
    meter.look(0.0, 0, 1000)
    meter.look(60.0, 600, 400)
    slow = [meter.look(60.0 + step * 60, 600 + step, 400 - step) for step in range(1, 8)]
    assert slow[0].per_minute > 100
    assert slow[-1].per_minute == pytest.approx(1)


def test_nothing_left_is_no_time_and_windows_that_fall_back_are_no_rate() -> None:
    meter = ProgressMeter()
    meter.look(0.0, 5, 0)
    done = meter.look(1.0, 4, 0, 1)
    assert (done.seconds_left, done.share, done.per_minute) == (0.0, 1.0, 0.0)


def lines(*looks: tuple[float, int], total: int = 1000, what: str = "windows archived") -> list[str | None]:
    """What the log gets of a run, by seconds and what is done."""
    pace = Pace()
    return [pace.line(Progressed(message=what, done=done, total=total), at) for at, done in looks]


def test_long_run_tells_how_far_it_is_at_distances_of_time() -> None:
    assert lines((0, 100), (29, 150), (60, 200), (70, 210), (120, 300), (180, 1000)) == [
        # what earlier runs have done is no rate
        None,
        None,
        "20%: 200 windows archived, 800 to do, 100.0 a minute, 0:08:00 left",
        None,
        "30%: 300 windows archived, 700 to do, 100.0 a minute, 0:07:00 left",
        # the result says the rest
        None,
    ]


def test_run_without_progress_knows_no_time() -> None:
    assert lines((0, 0), (60, 0))[1] == (
        "0%: 0 windows archived, 1,000 to do, 0.0 a minute, time left unknown"
    )


def test_next_tier_begins_anew() -> None:
    pace = Pace()
    first = Progressed(message="windows compared", done=90, total=100)
    pace.line(first, 0)
    assert pace.line(first, 60) is not None
    assert pace.line(Progressed(message="windows compared", done=0, total=4), 200) is None
    after = pace.line(Progressed(message="windows compared", done=1, total=4), 260)
    assert after == "25%: 1 windows compared, 3 to do, 1.0 a minute, 0:03:00 left"


def test_what_is_refused_is_not_waited_for_and_does_not_count_as_undone() -> None:
    pace = Pace()
    pace.line(Progressed(message="windows committed", done=0, total=1000, refused=600), 0)
    # a window that fails on the way is one that is not waited for, and the rate goes on
    step = Progressed(message="windows committed", done=100, total=1000, refused=601)
    assert pace.line(step, 60) == (
        "25%: 100 windows committed, 299 to do, 601 refused, 100.0 a minute, 0:02:59 left"
    )
    rest = Progressed(message="windows committed", done=399, total=1000, refused=601)
    assert pace.line(rest, 120) is None


def test_parts_inside_others_are_told_of_each_by_itself() -> None:
    pace = Pace()
    told = []
    for outer in range(4):
        told.append(pace.line(Progressed(message="pipelines erased", done=outer, total=4), outer * 40))
        told += [
            pace.line(Progressed(message="windows compared", done=inner, total=3), outer * 40 + 10 * inner)
            for inner in range(3)
        ]
    assert [line for line in told if line] == [
        "25%: 1 pipelines erased, 3 to do, 1.5 a minute, 0:02:00 left",
        "50%: 2 pipelines erased, 2 to do, 1.5 a minute, 0:01:20 left",
        "75%: 3 pipelines erased, 1 to do, 1.5 a minute, 0:00:40 left",
    ]


def test_round_that_begins_again_has_its_own_rate() -> None:
    pace = Pace()
    for done, at in ((0, 0), (900, 10), (0, 40)):
        assert pace.line(Progressed(message="points to erase read", done=done, total=1000), at) is None
    line = pace.line(Progressed(message="points to erase read", done=100, total=1000), 100)
    assert line == "10%: 100 points to erase read, 900 to do, 100.0 a minute, 0:09:00 left"


def test_one_thing_alone_has_no_progress() -> None:
    assert lines((0, 0), (60, 0), (120, 0), total=1) == [None, None, None]


def test_driver_tells_progress_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = count(0, 20)
    monkeypatch.setattr(driver.time, "monotonic", lambda: float(next(seconds)))

    def verb() -> Steps[str]:
        for done in range(6):
            yield from ask(Progressed(message="windows archived", done=done, total=6))
        yield from ask(Report("the end"))
        return "done"

    told: list[str] = []
    client: Any = None
    assert driver.drive(verb(), client, lambda report: told.append(report.message)) == "done"
    assert told == [
        "33%: 2 windows archived, 4 to do, 3.0 a minute, 0:01:20 left",
        "67%: 4 windows archived, 2 to do, 3.0 a minute, 0:00:40 left",
        "the end",
    ]
