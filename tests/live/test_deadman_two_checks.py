"""Two tasks that check one measurement under the same name leave each other's statuses alone, and say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval, to_ns

pytestmark = pytest.mark.live

STOP = datetime(2024, 5, 6, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
#: hours before the last stop of each device's last point
SILENT = {"d1": 0.01, "d2": 2.5, "d3": 2.5}


class Place:
    """Devices, some of which have fallen silent, and the statuses of their checks."""

    def __init__(self, client: InfluxClient, new: Callable[[], str]) -> None:
        self.client, self.reports = client, list[str]()
        self.spec = DeadmanSpec(bucket=new(), measurement="m", group_by=("device",), status_bucket=new())
        for device, hours in SILENT.items():
            self.report(device, STOP - hours * HOUR)
        self.report("d1", STOP - 1.01 * HOUR)
        self.report("d1", STOP - 2.01 * HOUR)

    def report(self, device: str, at: datetime) -> None:
        self.client.write_lines(self.spec.bucket, [f"m,device={device} v=1 {to_ns(at)}"])

    def check(
        self, task_id: str, hours_ago: float = 0, *, map_index: int = -1, **settings: Any
    ) -> dict[str, Any]:
        stop = STOP - hours_ago * HOUR
        run = RunInfo(dag_id="watch", task_id=task_id, map_index=map_index) if task_id else RunInfo()
        steps = check_deadman(replace(self.spec, **settings), Interval(stop - HOUR, stop), run)
        return drive(steps, self.client, lambda report: self.reports.append(report.message)).as_json()

    def list_of(self, index: int, *devices: str, hours_ago: float = 0) -> dict[str, Any]:
        """One of several lists, over which a task is mapped."""
        expected = tuple({"device": device} for device in devices)
        return self.check("lists", hours_ago, map_index=index, expected=expected, silence="30m")

    def levels(self, hours_ago: float = 0) -> list[tuple[str, str]]:
        """Device and level of each status of a stop, read without the product's queries."""
        rows = self.client.query(
            f'from(bucket: "{self.spec.status_bucket}") |> range(start: 0) '
            '|> filter(fn: (r) => r._measurement == "statuses" and r._field == "_message") |> group()'
        )
        return sorted((r["device"], r["_level"]) for r in rows if r["_time"] == STOP - hours_ago * HOUR)


@pytest.fixture
def place(client: InfluxClient, bucket_factory: Callable[[], str]) -> Place:
    return Place(client, bucket_factory)


def levels_of(hours: float, level: str) -> set[tuple[str, str]]:
    """In plain Python: what a check of a silence says at the last stop."""
    return {(device, level if silent > hours else "ok") for device, silent in SILENT.items()}


@pytest.mark.parametrize("level", ["warn", "crit"])
def test_two_silences_keep_both_levels_when_they_share_a_name(place: Place, level: str) -> None:
    early: Mapping[str, Any] = {"silence": "30m", "level": level}
    late: Mapping[str, Any] = {"silence": "6h", "level": "crit"}
    wanted = sorted(levels_of(0.5, level) | levels_of(6, "crit"))
    assert "statuses_note" not in place.check("early", **early)
    for _ in range(2):
        told = place.check("late", **late)
        assert "give each a check_name" in told["statuses_note"]
        assert place.levels() == wanted
        assert "give each a check_name" in place.check("early", **early)["statuses_note"]
        assert place.levels() == wanted
    assert any("give each a check_name" in one for one in place.reports)
    # late data: each takes back what it has said itself, and nothing else
    place.report("d2", STOP - HOUR / 100)
    place.check("early", **early)
    assert place.levels() == [one for one in wanted if one != ("d2", level)]


def test_two_lists_do_not_retire_each_other_when_they_share_a_name(place: Place) -> None:
    new = []
    for hours_ago in (1, 0):
        for device in ("d2", "d3"):
            told = place.check(device, hours_ago, expected=({"device": device},), silence="30m")
            assert (told["dead_count"], told["retired_count"]) == (1, 0)
            new.append(told["newly_dead_count"])
        assert place.levels(hours_ago) == [("d2", "crit"), ("d3", "crit")]
    assert new == [1, 1, 0, 0]
    # its own list changes: what is on it no more is retired by the task that had it
    told = place.check("d3", -1, expected=({"device": "d1"},), silence="30m")
    assert [one["series"] for one in told["retired"]] == [{"device": "d3"}]


def test_death_is_told_once_by_each_when_two_tasks_have_other_schedules(place: Place) -> None:
    early: Mapping[str, Any] = {"silence": "30m"}
    late: Mapping[str, Any] = {"silence": "2h"}
    told = [place.check("early", 1, **early), place.check("late", 1, **late)]
    assert [one["newly_dead_count"] for one in told] == [2, 0]
    told = [place.check("late", 0.5, **late), place.check("early", 0, **early)]
    # one has said ok since, or dies later: neither changes what the other has said itself
    assert [one["newly_dead_count"] for one in told] == [0, 0]
    assert "give each a check_name" in told[1]["statuses_note"]
    assert place.check("late", -0.5, **late)["newly_dead_count"] == 2


def test_death_is_new_when_only_another_task_has_said_it(place: Place) -> None:
    place.check("late", 1, silence="2h")
    assert place.check("early", 0.5, silence="30m")["newly_dead_count"] == 3
    assert place.check("late", 0, silence="2h")["newly_dead_count"] == 2


def test_nothing_is_retired_when_the_numbers_of_mapped_tasks_shift(place: Place) -> None:
    for index, device in enumerate(("d2", "d3")):
        place.list_of(index, device, hours_ago=1)
    # a list more comes before them
    told = [place.list_of(index, device) for index, device in enumerate(("d1", "d2", "d3"))]
    assert [(one["retired_count"], one["newly_dead_count"]) for one in told] == [(0, 0)] * 3
    assert place.levels() == [("d1", "ok"), ("d2", "crit"), ("d3", "crit")]
    assert [place.list_of(2, "d3", hours_ago=-1)["retired_count"] for _ in range(2)] == [0, 0]


def test_series_is_retired_a_run_later_when_a_mapped_list_has_it_no_more(place: Place) -> None:
    place.list_of(0, "d2", "d3", hours_ago=1)
    retired = [place.list_of(0, "d2", hours_ago=hours_ago)["retired"] for hours_ago in (0, -1, -2)]
    assert [[one["series"] for one in some] for some in retired] == [[], [{"device": "d3"}], []]


def test_renamed_task_goes_on_from_the_statuses_of_its_old_name(place: Place) -> None:
    assert place.check("old", 1, silence="30m")["newly_dead_count"] == 2
    told = place.check("new", 0, silence="30m")
    assert told["newly_dead_count"] == 0
    assert "statuses_note" not in told
    place.report("d2", STOP + HOUR / 2)
    place.report("d1", STOP + HOUR / 2)
    told = place.check("new", -1, silence="30m")
    assert "statuses_note" not in told
    assert [one["series"] for one in told["came_back"]] == [{"device": "d2"}]


def test_statuses_of_unknown_origin_are_its_own_when_a_task_checks(place: Place) -> None:
    place.check("", silence="30m")
    assert place.levels() == sorted(levels_of(0.5, "crit"))
    told = place.check("late", silence="6h")
    assert "statuses_note" not in told
    assert place.levels() == sorted(levels_of(6, "crit"))
    # nor does the command line know of other tasks
    assert "statuses_note" not in place.check("", silence="30m")
    assert place.levels() == sorted(levels_of(0.5, "crit"))


def test_two_checks_say_nothing_of_each_other_when_each_has_a_name(place: Place) -> None:
    for _ in range(2):
        for name in ("a", "b"):
            assert "statuses_note" not in place.check(name, check_name=name)


def stored(place: Place) -> dict[tuple[str, ...], Any]:
    """All fields of the statuses of the last stop, read without the product's queries."""
    rows = place.client.query(
        f'from(bucket: "{place.spec.status_bucket}") |> range(start: 0) '
        '|> filter(fn: (r) => r._measurement == "statuses")'
    )
    return {
        (str(r.get("device")), str(r.get("site")), r["_level"], r["_field"]): r["_value"]
        for r in rows
        if r["_time"] == STOP
    }


def test_alarms_of_another_stay_when_something_is_expected_again(place: Place) -> None:
    early: Mapping[str, Any] = {
        "silence": "30m",
        "retire_after": "2h",
        "tags": {"room": "x"},
        "check_name": "n",
    }
    late: Mapping[str, Any] = {"silence": "2h", "level": "warn", "check_name": "n"}
    assert place.check("early", **early)["state"] == "nothing_expected"
    place.check("late", **late)
    alarms = {key: value for key, value in stored(place).items() if key[0] in ("d2", "d3")}
    assert {key[3] for key in alarms} == {
        "_message",
        "_source_timestamp",
        "_status_timestamp",
        "dead",
        "_checked_by",
    }
    place.client.write_lines(place.spec.bucket, [f"m,device=d4,room=x v=1 {to_ns(STOP - HOUR / 100)}"])
    assert "give each a check_name" in place.check("early", **early)["statuses_note"]
    after = stored(place)
    assert {key: value for key, value in after.items() if key[0] in ("d2", "d3")} == alarms
    # what it had said itself is taken back
    assert not [key for key in after if key[0] == "None" and key[2] == "warn"]


def test_alarm_of_another_stays_when_one_with_fewer_tags_is_taken_back(place: Place) -> None:
    few: Mapping[str, Any] = {"silence": "30m", "expected": ({"device": "d5"},), "check_name": "n"}
    many: Mapping[str, Any] = {
        "silence": "1h",
        "expected": ({"device": "d5", "site": "x"},),
        "check_name": "n",
        "group_by": ("device", "site"),
    }
    place.client.write_lines(place.spec.bucket, [f"m,device=d5,site=x v=1 {to_ns(STOP - 3 * HOUR)}"])
    place.check("few", **few)
    place.check("many", **many)
    alarm = {key: value for key, value in stored(place).items() if key[1] == "x"}
    assert {(key[0], key[2]) for key in alarm} == {("d5", "crit")}
    place.client.write_lines(place.spec.bucket, [f"m,device=d5,site=y v=1 {to_ns(STOP - HOUR / 100)}"])
    place.check("few", **few)
    after = stored(place)
    assert {key: value for key, value in after.items() if key[1] == "x"} == alarm
    assert {key[2] for key in after if key[1] == "None"} == {"ok"}
