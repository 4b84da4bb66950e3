"""A delete that was begun is known, with its run, until its own purge says that it has ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_influx_rollup.archive.paths import DELETES
from airflow_provider_influx_rollup.lifecycle.archive_files.begun_deletes import (
    LOOK_UPS_AT_A_TIME,
    BegunDelete,
    begin_delete,
    begun_deletes,
    end_delete,
    is_delete_begun,
)
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Gather
from airflow_provider_influx_rollup.steps.store import ListFolder, PutNew, ReadBytes, RemoveFiles
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.scripted_driver import Script

NOW = datetime(2025, 3, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Interval(NOW, NOW + HOUR)
FOLDER = "m/window=20250308T000000Z_20250308T010000Z"
INFO = RunInfo(dag_id="d", task_id="t", run_id="r", try_number=2, map_index=3, reason="why")
SAYS = b"""{
  "begun_at": "2025-03-08T00:00:00Z",
  "format": "influx-rollup-begun-delete/1",
  "run": {
    "dag_id": "d",
    "map_index": 3,
    "run_id": "r",
    "task_id": "t",
    "try_number": 2
  }
}
"""


def path(number: str) -> str:
    return f"w/{DELETES}/{number}"


def test_each_claim_has_a_file_of_its_own_that_says_whose_it_is() -> None:
    script = Script(begin_delete("w", 7, INFO, NOW), [(PutNew, True)])
    script.run()
    assert script.asked == [PutNew(path("00000007"), SAYS)]


@pytest.mark.parametrize(("names", "is_begun"), [([], False), (["notes.txt"], False), (["00000002"], True)])
def test_delete_is_begun_as_long_as_there_is_a_file_of_a_claim(names: list[str], is_begun: bool) -> None:
    assert Script(is_delete_begun("w"), [(ListFolder, names)]).run() is is_begun


def test_delete_that_has_ended_takes_its_own_file_alone() -> None:
    script = Script(end_delete("w", 7), [(RemoveFiles, None)])
    script.run()
    assert script.asked == [RemoveFiles((path("00000007"),))]


@pytest.mark.parametrize(
    ("data", "text", "says"),
    [
        (
            SAYS,
            "DAG 'd', task 't', run 'r', try 2, map index 3, at 2025-03-08T00:00:00Z",
            {"begun_at": "2025-03-08T00:00:00Z", "dag_id": "d", "try_number": 2, "map_index": 3},
        ),
        # of an earlier version, changed, of another kind
        *(
            (
                data,
                "a purge whose file does not say of which run it is",
                {"begun_at": None, "dag_id": None, "try_number": None, "map_index": None},
            )
            for data in (b"", SAYS[:-1], b"{}\n", b'{\n  "run": []\n}\n')
        ),
    ],
)
def test_delete_is_known_whatever_its_file_says(data: bytes, text: str, says: dict[str, object]) -> None:
    answers = [(Gather, [["00000007", "notes.txt"]]), (ReadBytes, data)]
    script = Script(begun_deletes("m", [WINDOW]), answers)
    (found,) = script.run()
    assert script.asked[-1] == ReadBytes(f"{FOLDER}/deletes/00000007")
    assert (found.window, found.claim, found.text()) == (WINDOW, 7, text)
    values = found.as_json()
    assert {name: values[name] for name in says} == says
    assert (values["file"], values["window"]) == (f"{FOLDER[2:]}/deletes/00000007", WINDOW.as_json())
    assert json.loads(json.dumps(values)) == values


def test_run_of_a_person_has_no_dag() -> None:
    run = {"dag_id": "", "task_id": "", "run_id": "purge by me", "try_number": 1, "map_index": -1}
    begun = BegunDelete(WINDOW, 1, "2025-03-08T00:00:00Z", run)
    assert begun.text() == "run 'purge by me', try 1, at 2025-03-08T00:00:00Z"


def test_file_that_is_removed_meanwhile_is_none() -> None:
    assert Script(begun_deletes("m", [WINDOW]), [(Gather, [["00000007"]]), (ReadBytes, None)]).run() == []


def test_many_windows_are_looked_up_together() -> None:
    windows = [Interval(NOW + hour * HOUR, NOW + (hour + 1) * HOUR) for hour in range(LOOK_UPS_AT_A_TIME + 1)]
    answers = [(Gather, [[]] * LOOK_UPS_AT_A_TIME), (Gather, [[]])]
    assert Script(begun_deletes("m", windows), answers).run() == []
