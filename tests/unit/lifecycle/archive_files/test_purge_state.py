"""The document that says how far the purge of a window is."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.archive.documents import encode_document
from airflow_provider_influx_rollup.archive.paths import INTENT
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import (
    DELETING,
    PurgeState,
    read_purge,
    write_purge,
)
from airflow_provider_influx_rollup.steps.store import PutOver, ReadBytes, RemoveFiles
from tests.scenes.scripted_driver import Script

BEGUN = PurgeState(generation=2, state=DELETING, purge_id="p1", certificate=7, proof={"points": 60}, claim=3)
OF_BEFORE = {"generation": 2, "state": "done", "purge_id": "p1", "certificate": 8, "proof": {"points": 60}}


def test_window_that_was_never_purged_has_no_state() -> None:
    script = Script(read_purge("w"), [(ReadBytes, None)])
    assert script.run() is None
    assert script.asked == [ReadBytes(f"w/{INTENT}")]


def test_what_is_written_is_read_again() -> None:
    write = Script(write_purge("w", BEGUN), [(PutOver, None)])
    write.run()
    (put,) = write.asked
    assert isinstance(put, PutOver)
    assert put.path == f"w/{INTENT}"
    assert Script(read_purge("w"), [(ReadBytes, put.data)]).run() == BEGUN


def test_state_of_before_there_were_claims_has_claim_zero() -> None:
    state = Script(read_purge("w"), [(ReadBytes, encode_document(OF_BEFORE))]).run()
    assert state == PurgeState(
        generation=2, state="done", purge_id="p1", certificate=8, proof={"points": 60}, claim=0
    )


@pytest.mark.parametrize(
    "wrong", [{"state": "half"}, {"colour": "red"}], ids=["unknown state", "unknown name"]
)
def test_document_of_something_else_is_refused(wrong: dict[str, str]) -> None:
    data = encode_document({**OF_BEFORE, **wrong})
    with pytest.raises(ArchiveMismatch, match="it is no purge's"):
        Script(read_purge("w"), [(ReadBytes, data)]).run()


def test_forgetting_removes_the_document_alone() -> None:
    script = Script(write_purge("w", None), [(RemoveFiles, None)])
    script.run()
    assert script.asked == [RemoveFiles((f"w/{INTENT}",))]
