"""A delete that was begun is known until a purge is done that came later, or its own gives it up."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.archive.paths import DELETES
from airflow_provider_influx_rollup.lifecycle.archive_files.begun_deletes import (
    begin_delete,
    end_deletes,
    give_up_delete,
    is_delete_begun,
)
from airflow_provider_influx_rollup.steps.store import ListFolder, PutNew, RemoveFiles
from tests.scenes.scripted_driver import Script

LIST = ListFolder(f"w/{DELETES}")


def path(number: str) -> str:
    return f"w/{DELETES}/{number}"


def test_each_claim_has_a_file_of_its_own() -> None:
    script = Script(begin_delete("w", 7), [(PutNew, True)])
    script.run()
    assert script.asked == [PutNew(path("00000007"), b"")]


@pytest.mark.parametrize(("names", "is_begun"), [([], False), (["notes.txt"], False), (["00000002"], True)])
def test_delete_is_begun_as_long_as_there_is_a_file_of_a_claim(names: list[str], is_begun: bool) -> None:
    assert Script(is_delete_begun("w"), [(ListFolder, names)]).run() is is_begun


def test_delete_that_is_given_up_takes_its_own_file_alone() -> None:
    script = Script(give_up_delete("w", 7), [(RemoveFiles, None)])
    script.run()
    assert script.asked == [RemoveFiles((path("00000007"),))]


def test_purge_that_is_done_ends_the_deletes_before_it_and_no_later_one() -> None:
    names = ["00000002", "00000007", "00000009"]
    script = Script(end_deletes("w", 7), [(ListFolder, names), (RemoveFiles, None)])
    script.run()
    assert script.asked == [LIST, RemoveFiles((path("00000002"), path("00000007")))]


def test_purge_that_has_begun_no_delete_removes_nothing() -> None:
    script = Script(end_deletes("w", 7), [(ListFolder, [])])
    script.run()
    assert script.asked == [LIST]
