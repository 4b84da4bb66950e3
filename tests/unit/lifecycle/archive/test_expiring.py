"""Which windows retention deletes soon, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.archive.documents import encode_document
from airflow_provider_influx_rollup.lifecycle.archive.archive_run import ArchiveRun
from airflow_provider_influx_rollup.lifecycle.archive.expiring import expiring_windows
from airflow_provider_influx_rollup.lifecycle.archive.expiring_candidates import Candidate, deletion
from airflow_provider_influx_rollup.lifecycle.archive.expiring_turns import in_turn, look_after
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.failed_tries import FailedTries, FailedTry
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Bucket, Report
from airflow_provider_influx_rollup.steps.store import PutOver, ReadBytes
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from tests.scenes.scripted_driver import Script

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOW = datetime(2025, 3, 31, 12, tzinfo=UTC)
KEPT = Bucket(name="raw", retention_seconds=30 * 86_400, shard_group_seconds=86_400)
FOREVER = Bucket(name="raw", retention_seconds=0, shard_group_seconds=7 * 86_400)
SPEC = ArchiveSpec(org="o", bucket="raw", measurement="m", shown_path="/archive", ledger_bucket="ledger")
DAYS = Grid.of("1d")


def days(windows: list[Interval]) -> list[datetime]:
    return [window.start for window in windows]


def test_points_go_with_their_shard_when_it_ended_before_the_retention() -> None:
    window = Interval(datetime(2025, 3, 8, 5, tzinfo=UTC), datetime(2025, 3, 8, 6, tzinfo=UTC))
    assert deletion(window, KEPT) == datetime(2025, 3, 9, tzinfo=UTC) + 30 * DAY


def test_days_are_found_when_retention_deletes_them_soon() -> None:
    soon = days(expiring_windows(SPEC, KEPT, DAYS, Duration.of("2d"), NOW))
    # 1 March is deleted on 1 April, 12 hours from now, and 2 March on the day after
    assert soon[-1] == datetime(2025, 3, 2, tzinfo=UTC)
    assert soon == [soon[0] + number * DAY for number in range(len(soon))]
    # older ones may be there still
    assert soon[0] <= NOW - 31 * DAY
    later = days(expiring_windows(SPEC, KEPT, DAYS, Duration.of("4d"), NOW))
    assert later == [*soon, soon[-1] + DAY, soon[-1] + 2 * DAY]


def test_no_window_is_found_when_the_bucket_keeps_forever() -> None:
    assert expiring_windows(SPEC, FOREVER, DAYS, Duration.of("1000d"), NOW) == []


def test_windows_wait_for_late_points_when_nearly_all_of_them_expire() -> None:
    found = days(expiring_windows(SPEC, KEPT, DAYS, Duration.of("60d"), NOW))
    assert found[-1] == datetime(2025, 3, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("most", "failed", "order"),
    [
        (100, (), "012345"),
        (100, (0, 1), "234501"),
        (2, (0, 1), "2 0 345 1"),
        # longest untried first
        (2, (3, 0), "1 3 245 0"),
        (1, (4, 0), "4 1235 0"),
        (0, (0,), "0 12345"),
    ],
)
def test_windows_that_failed_come_after_others_but_for_a_few_places(
    most: int, failed: tuple[int, ...], order: str
) -> None:
    assert order_of(most, failed, died=()) == order.replace(" ", "")


@pytest.mark.parametrize(
    ("most", "failed", "died", "waited", "order"),
    [
        # the only place is for the others, or for one that ended with an error and leaves it to the next
        (1, (4, 0), (4, 0), 8, "1235 40"),
        (1, (4, 0), (4,), 8, "0 1235 4"),
        (2, (4, 0), (4,), 8, "1 4 235 0"),
        (1, (0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4, 5), 8, "012345"),
        # every tenth time it is for one of them, the longest untried
        (1, (4, 0), (4, 0), 9, "4 1235 0"),
        (1, (4, 0), (0,), 9, "0 1235 4"),
        (1, (4, 0), (), 9, "4 1235 0"),
        (2, (4, 0), (0,), 9, "1 4 235 0"),
    ],
)
def test_windows_at_which_a_run_died_seldom_take_the_only_place(
    most: int, failed: tuple[int, ...], died: tuple[int, ...], waited: int, order: str
) -> None:
    assert order_of(most, failed, died, waited) == order.replace(" ", "")


def order_of(most: int, failed: tuple[int, ...], died: tuple[int, ...], waited: int = 0) -> str:
    """The numbers of six windows in their turns, of which some failed one after the other."""
    windows = [Interval(NOW + number * DAY, NOW + (number + 1) * DAY) for number in range(6)]
    tried = {
        windows[number]: FailedTry(NOW + turn * DAY, number not in died) for turn, number in enumerate(failed)
    }
    candidates = [Candidate(window=window, rows=1) for window in windows]
    return "".join(str(windows.index(one.window)) for one in in_turn(candidates, KEPT, tried, most, waited))


def test_windows_that_certainly_lack_points_come_first_when_they_go_at_the_same_moment() -> None:
    hours = [Interval(NOW + hour * HOUR, NOW + (hour + 1) * HOUR) for hour in (0, 1, 13)]
    candidates = [Candidate(window=window, rows=1, is_doubtful=window != hours[1]) for window in hours]
    assert [one.window for one in in_turn(candidates, KEPT, {}, 9)] == [hours[1], hours[0], hours[2]]


def test_failures_are_forgotten_when_retention_has_taken_their_windows() -> None:
    gone, there = (Interval(NOW - age * DAY, NOW - (age - 1) * DAY) for age in (40, 30))
    run = ArchiveRun(SPEC, RunInfo(run_id="r"), lambda: NOW, {})
    before = [
        {**window.as_json(), "tried_at": format_instant(NOW), "has_ended": window == there}
        for window in (gone, there)
    ]
    # those of another grid are not looked for
    script = Script(look_after(run, KEPT, [], [], 9), [(ReadBytes, document(before)), (PutOver, None)])
    script.run()
    assert script.asked[-1] == PutOver(f"{SPEC.folder}/expiring.json", document(before[1:]))


def test_windows_take_their_turns_when_it_is_not_known_which_failed() -> None:
    answers = [(ReadBytes, b"{]"), (Report, None), (ReadBytes, b"{}\n"), (Report, None)]
    for number in (0, 2):
        script = Script(FailedTries.read("m"), answers[number : number + 2])
        assert script.run().tried == {}
        assert "m/expiring.json is damaged" in str(script.asked[-1])


def document(windows: list[dict[str, Any]]) -> bytes:
    return encode_document({"format": "influx-rollup-failed-tries/1", "waited": 0, "windows": windows})
