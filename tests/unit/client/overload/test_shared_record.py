"""The record of a server: where it lies, and who may share it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.overload.shared_record import SharedRecord, record_of_server


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    record_of_server.cache_clear()
    yield tmp_path
    record_of_server.cache_clear()


def test_servers_have_records_of_their_own() -> None:
    first, second = (record_of_server(f"http://{name}:8086", None) for name in "ab")
    assert first is record_of_server("http://a:8086", None)
    with first.changing() as numbers:
        numbers.failures = 7
    assert second.numbers.failures == 0
    assert first.path is not None
    assert SharedRecord(first.url, first.path).numbers.failures == 7


def test_names_of_files_do_not_tell_the_server(folder: Path) -> None:
    record_of_server("http://very-secret-host:8086", None)
    names = [path.name for path in folder.rglob("*")]
    assert names
    assert not any("secret" in name for name in names)


def test_folder_is_the_user_s_alone(folder: Path) -> None:
    record_of_server("http://a:8086", None)
    assert [oct(path.stat().st_mode & 0o777) for path in folder.iterdir()] == ["0o700"]


def test_process_keeps_its_own_record_when_others_may_change_the_folder(folder: Path) -> None:
    record_of_server("http://a:8086", None)
    (made,) = folder.iterdir()
    made.chmod(0o777)
    record = record_of_server("http://b:8086", None)
    assert record.path is None
    with record.changing() as numbers:
        numbers.failures = 3
    assert record.numbers.failures == 3


def test_process_keeps_its_own_record_when_the_folder_is_a_link(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    record_of_server("http://a:8086", None)
    (made,) = folder.iterdir()
    made.rename(tmp_path_factory.mktemp("elsewhere") / "folder")
    made.symlink_to(tmp_path_factory.getbasetemp())
    assert record_of_server("http://b:8086", None).path is None


def test_process_keeps_its_own_record_when_there_is_no_folder_for_temporary_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "not there"))
    assert record_of_server("http://a:8086", None).path is None
