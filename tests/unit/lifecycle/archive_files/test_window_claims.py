"""The last claim of a window holds, and no number is used twice."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.archive.paths import CLAIMS
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch
from airflow_provider_influx_rollup.lifecycle.archive_files.window_claims import (
    claim_window,
    forget_claims,
    holds_claim,
    release_claim,
)
from airflow_provider_influx_rollup.steps.store import ListFolder, PutNew, RemoveFiles
from tests.scenes.scripted_driver import Script

LIST = ListFolder(f"w/{CLAIMS}")


def path(number: str) -> str:
    return f"w/{CLAIMS}/{number}"


def test_first_claim_is_number_one() -> None:
    script = Script(claim_window("w"), [(ListFolder, []), (PutNew, True)])
    assert script.run() == 1
    assert script.asked == [LIST, PutNew(path("00000001"), b"")]


def test_claim_that_another_run_took_meanwhile_leads_to_the_next_number() -> None:
    names = ["00000002", "00000009", "notes.txt"]
    script = Script(claim_window("w"), [(ListFolder, names), (PutNew, False), (PutNew, True)])
    assert script.run() == 11
    assert script.asked == [LIST, PutNew(path("00000010"), b""), PutNew(path("00000011"), b"")]


def test_claim_that_the_store_refuses_is_not_held() -> None:
    script = Script(claim_window("w"), [(ListFolder, []), (PutNew, ArchiveMismatch("the store is away"))])
    with pytest.raises(ArchiveMismatch, match="the store is away"):
        script.run()
    assert script.asked == [LIST, PutNew(path("00000001"), b"")]


@pytest.mark.parametrize(
    ("names", "holds"),
    [(["00000003"], True), (["00000001", "00000003"], True), (["00000003", "00000004"], False), ([], False)],
)
def test_only_the_last_claim_holds(names: list[str], holds: bool) -> None:
    assert Script(holds_claim("w", 3), [(ListFolder, names)]).run() is holds


def test_release_removes_the_own_claim_alone() -> None:
    script = Script(release_claim("w", 12), [(RemoveFiles, None)])
    script.run()
    assert script.asked == [RemoveFiles((path("00000012"),))]


def test_purge_of_before_there_were_claims_releases_none() -> None:
    script = Script(release_claim("w", 0), [])
    script.run()
    assert script.asked == []


def test_earlier_claims_are_forgotten_and_the_last_stays() -> None:
    names = ["00000001", "00000002", "00000003", "00000004"]
    script = Script(forget_claims("w", 3), [(ListFolder, names), (RemoveFiles, None)])
    script.run()
    assert script.asked == [LIST, RemoveFiles((path("00000001"), path("00000002")))]


def test_without_earlier_claims_nothing_is_removed() -> None:
    script = Script(forget_claims("w", 3), [(ListFolder, ["00000003"])])
    script.run()
    assert script.asked == [LIST]
