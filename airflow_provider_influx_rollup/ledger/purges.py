"""Records of purged windows: whatever was made of their points stays as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.ledger.line_protocol import encode_line
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns, to_ns

PURGED_WINDOW = "purged_window"
DELETING, PURGED, LIFTED = "deleting", "purged", "lifted"
CERTIFICATE_MEASUREMENT = "purge_certificate"
# a string field of InfluxDB holds 64 KiB
MAX_DOCUMENT_BYTES = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeMark:
    """One window of a measurement whose points were deleted, or are being deleted.

    :param state: ``"deleting"``, ``"purged"``, or ``"lifted"``: its points are back
    :param generation: of the archive that stands for the points
    :param compared_at: when the pipelines were last known to hold all points, aware UTC
    :param pipelines: names of the pipelines that hold them
    :param bucket: what the bucket was called when the window was marked
    :param bucket_id: of the bucket, whatever it is called now; empty in marks of before there were ids
    :param purge_id: which purge it is of; empty in marks of before they had one
    """

    bucket: str
    measurement: str
    window: Interval
    state: str
    generation: int
    compared_at: datetime
    pipelines: tuple[str, ...] = ()
    bucket_id: str = ""
    purge_id: str = ""

    def text(self) -> str:
        """Describe the event for readers."""
        what = "were purged" if self.state == PURGED else "are being purged"
        return (
            f"the points of {self.bucket}/{self.measurement} in {self.window} {what}; "
            f"generation {self.generation} of the archive stands for them"
        )


def encode_mark(mark: PurgeMark) -> str:
    """One line at the window's start; windows of other lengths are other series."""
    tags = {
        "bucket": mark.bucket,
        "measurement": mark.measurement,
        "length_ns": str(mark.window.stop_ns - mark.window.start_ns),
        "bucket_id": mark.bucket_id,
    }
    fields: dict[str, int | float | str | bool] = {
        "stop_ns": mark.window.stop_ns,
        "state": mark.state,
        "generation": mark.generation,
        "compared_at_ns": to_ns(mark.compared_at),
        "pipelines": json.dumps(list(mark.pipelines), ensure_ascii=False),
        "purge_id": mark.purge_id,
    }
    return encode_line(PURGED_WINDOW, tags, fields, mark.window.start_ns)


def decode_marks(rows: Iterable[Mapping[str, Any]]) -> list[PurgeMark]:
    """Records from pivoted rows, by window.

    :param rows: what ``MarksBetween`` returns
    """
    marks = [
        PurgeMark(
            bucket=row["bucket"],
            measurement=row["measurement"],
            window=Interval(row["_time"], from_ns(row["stop_ns"])),
            state=row["state"],
            generation=row["generation"],
            compared_at=from_ns(row["compared_at_ns"]),
            pipelines=tuple(json.loads(row["pipelines"])),
            bucket_id=row.get("bucket_id") or "",
            purge_id=row.get("purge_id") or "",
        )
        for row in rows
    ]
    return sorted(marks, key=lambda mark: mark.window)


def encode_certificate(values: Mapping[str, Any], sha256: str, path: str, document: bytes) -> str:
    """One line for a certificate, at the time it was made; the same certificate always gives the same point.

    :param values: what it says
    :param sha256: of its file
    :param path: of its file, without secrets
    :param document: its bytes; left out when they are too many for a field
    """
    tags = {name: str(values[name]) for name in ("bucket", "measurement")}
    ended_at = datetime.fromisoformat(values["ended_at"])
    fields: dict[str, int | float | str | bool] = {
        "number": int(values["number"]),
        "kind": str(values["kind"]),
        "window_start_ns": to_ns(datetime.fromisoformat(values["window"]["start"])),
        "stop_ns": to_ns(datetime.fromisoformat(values["window"]["stop"])),
        "rows": int(values["deleted"]["rows"]),
        "sha256": sha256,
        "path": path,
    }
    if len(document) <= MAX_DOCUMENT_BYTES:
        fields["document"] = document.decode()
    return encode_line(CERTIFICATE_MEASUREMENT, tags, fields, to_ns(ended_at) + int(values["number"]) % 1000)
