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


@dataclass(frozen=True, slots=True)
class PurgeMark:
    """One window of a measurement whose points were deleted, or are being deleted.

    :param state: ``"deleting"``, ``"purged"``, or ``"lifted"``: its points are back
    :param generation: of the archive that stands for the points
    :param compared_at: when the pipelines were last known to hold all points, aware UTC
    :param pipelines: names of the pipelines that hold them
    """

    bucket: str
    measurement: str
    window: Interval
    state: str
    generation: int
    compared_at: datetime
    pipelines: tuple[str, ...] = ()

    def text(self) -> str:
        """What happened, for people."""
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
    }
    fields: dict[str, int | float | str | bool] = {
        "stop_ns": mark.window.stop_ns,
        "state": mark.state,
        "generation": mark.generation,
        "compared_at_ns": to_ns(mark.compared_at),
        "pipelines": json.dumps(list(mark.pipelines), ensure_ascii=False),
    }
    return encode_line(PURGED_WINDOW, tags, fields, mark.window.start_ns)


def decode_marks(rows: Iterable[Mapping[str, Any]]) -> list[PurgeMark]:
    """Records from pivoted rows, by window.

    :param rows: what ``marks_query`` returns
    """
    marks = [
        PurgeMark(
            row["bucket"],
            row["measurement"],
            Interval(row["_time"], from_ns(row["stop_ns"])),
            row["state"],
            row["generation"],
            from_ns(row["compared_at_ns"]),
            tuple(json.loads(row["pipelines"])),
        )
        for row in rows
    ]
    return sorted(marks, key=lambda mark: mark.window)
