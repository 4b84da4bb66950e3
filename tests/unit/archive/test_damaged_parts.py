"""A Parquet file with any byte changed is found, and found to be damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_influx_rollup.archive.manifest import Manifest
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ArchiveMissing
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.stores.read_parts import fingerprint_part, read_batches, require_hash

ALL_OF_IT = r"Window: \[2025-03-08T00:00:00Z, 2025-03-08T01:00:00Z\)\. Written: nothing\. To do: .+"
SCHEMA = pa.schema(
    [
        pa.field("_time", pa.timestamp("ns", "UTC"), nullable=False),
        pa.field("device", pa.dictionary(pa.int32(), pa.string())),
        pa.field("_field", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("_value", pa.float64(), nullable=False),
    ]
)


def write_part(path: Path) -> bytes:
    columns = {
        "_time": [1, 2, 3],
        "device": ["a", None, "b"],
        "_field": ["t", "t", "u"],
        "_value": [1.5, -0.0, 2.0],
    }
    pq.write_table(pa.table(columns, schema=SCHEMA), path, compression="zstd")
    return path.read_bytes()


def test_damage_is_found_when_any_byte_is_another(tmp_path: Path) -> None:
    path = tmp_path / "float-x-0001.parquet"
    good = write_part(path)
    store = ArchiveStore.of_url(str(tmp_path))
    sha256 = hashlib.sha256(good).hexdigest()
    part, found = fingerprint_part(store, path.name, sha256)
    assert (part.rows, part.bytes, part.first_ns, part.last_ns, part.kind) == (3, len(good), 1, 3, "float")
    assert found.series_count == 3
    for index in range(len(good)):
        path.write_bytes(good[:index] + bytes([good[index] ^ 0x10]) + good[index + 1 :])
        with pytest.raises(ArchiveMismatch):
            fingerprint_part(store, path.name, sha256)
    for length in (0, 1, 4, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(ArchiveMismatch):
            fingerprint_part(store, path.name, sha256)


def test_error_says_that_the_file_is_damaged_when_its_end_is(tmp_path: Path) -> None:
    path = tmp_path / "float-x-0001.parquet"
    good = write_part(path)
    store = ArchiveStore.of_url(str(tmp_path))
    end = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    damaged = 0
    for index in range(end, end + 60):
        path.write_bytes(good[:index] + b"\xff" + good[index + 1 :])
        try:
            list(read_batches(store, path.name))
        except ArchiveMismatch:
            damaged += 1
    assert damaged > 5
    path.unlink()
    with pytest.raises(ArchiveMissing):
        list(read_batches(store, path.name))


def test_error_names_the_window_when_a_file_of_an_archive_is_damaged_or_gone(tmp_path: Path) -> None:
    folder = "dev/raw/m/window=20250308T000000Z_20250308T010000Z/gen=1"
    path = tmp_path / folder / "float-x-0001.parquet"
    path.parent.mkdir(parents=True)
    write_part(path)
    store = ArchiveStore.of_url(str(tmp_path))
    name = f"{folder}/{path.name}"
    attempts: list[Callable[[], object]] = [
        lambda: require_hash(store, name, "0" * 64),
        lambda: fingerprint_part(store, name, "0" * 64),
        lambda: list(read_batches(store, f"{folder}/manifest.json")),
        lambda: list(read_batches(store, f"{folder}/gone")),
        lambda: Manifest.decode(b"{", f"{folder}/manifest.json"),
    ]
    (tmp_path / folder / "manifest.json").write_bytes(b"{")
    for attempt in attempts:
        with pytest.raises((ArchiveMismatch, ArchiveMissing), match=ALL_OF_IT):
            attempt()
