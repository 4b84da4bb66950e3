"""The folder of a bucket's archive: named after the bucket once, and kept when the bucket is renamed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.ledger.line_protocol import encode_line

FOLDER_MEASUREMENT = "archive_folder"


@dataclass(frozen=True, slots=True)
class ArchiveFolder:
    """The folder of a bucket, under whatever base path.

    :param org: first part of the path: what the organisation was called when the first window was archived
    :param bucket: second part, likewise
    """

    bucket_id: str
    org: str
    bucket: str

    @property
    def names(self) -> tuple[str, str]:
        """Organisation and bucket, as in paths and manifests."""
        return self.org, self.bucket


def encode_folder(folder: ArchiveFolder) -> str:
    """One line, at a fixed time."""
    fields: dict[str, int | float | str | bool] = {"org": folder.org, "bucket": folder.bucket}
    return encode_line(FOLDER_MEASUREMENT, {"bucket_id": folder.bucket_id}, fields, 0)


def decode_folders(rows: Iterable[Mapping[str, Any]]) -> list[ArchiveFolder]:
    """Undo ``encode_folder``.

    :param rows: one for each bucket
    """
    return [ArchiveFolder(row["bucket_id"], row["org"], row["bucket"]) for row in rows]
