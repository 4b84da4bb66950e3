"""A delete that was begun is known until its own purge says that it has ended."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.archive.paths import DELETES
from airflow_provider_influx_rollup.lifecycle.archive_files.begun_deletes import (
    begin_delete,
    end_delete,
    is_delete_begun,
)
from airflow_provider_influx_rollup.steps.store import ListFolder, PutNew, RemoveFiles
from tests.scenes.scripted_driver import Script


def path(number: str) -> str:
    return f"w/{DELETES}/{number}"


def test_each_claim_has_a_file_of_its_own() -> None:
    script = Script(begin_delete("w", 7), [(PutNew, True)])
    script.run()
    assert script.asked == [PutNew(path("00000007"), b"")]


@pytest.mark.parametrize(("names", "is_begun"), [([], False), (["notes.txt"], False), (["00000002"], True)])
def test_delete_is_begun_as_long_as_there_is_a_file_of_a_claim(names: list[str], is_begun: bool) -> None:
    assert Script(is_delete_begun("w"), [(ListFolder, names)]).run() is is_begun


def test_delete_that_has_ended_takes_its_own_file_alone() -> None:
    script = Script(end_delete("w", 7), [(RemoveFiles, None)])
    script.run()
    assert script.asked == [RemoveFiles((path("00000007"),))]
