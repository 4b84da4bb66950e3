"""Where validations write copies of points, as points of the ledger: whoever erases series finds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.ledger.line_protocol import encode_line

COPIES_MEASUREMENT = "validation_copies"


@dataclass(frozen=True, slots=True)
class CopiedTo:
    """Where a validation writes copies of the points of a measurement.

    :param bucket: of the copies; likewise the measurement
    :param changed_tags: tag keys that a copy may not have as its point has them
    """

    validation: str
    source_bucket: str
    source_measurement: str
    bucket: str
    measurement: str
    changed_tags: Sequence[str] = ()

    def line(self) -> str:
        """Line protocol; the same copies always give the same point."""
        changed = json.dumps(sorted(self.changed_tags))
        tags = {
            "validation": self.validation,
            "source_bucket": self.source_bucket,
            "measurement": self.source_measurement,
            "copy_bucket": self.bucket,
            "copy_measurement": self.measurement,
            # what a validation wrote before its transformations were others is there too
            "variant": hashlib.sha256(changed.encode()).hexdigest()[:8],
        }
        return encode_line(COPIES_MEASUREMENT, tags, {"changed_tags": changed}, 0)


def decode_copies(rows: Iterable[Mapping[str, Any]]) -> list[CopiedTo]:
    """Undo ``CopiedTo.line``.

    :param rows: one for each point
    """
    return [
        CopiedTo(
            row["validation"],
            row["source_bucket"],
            row["measurement"],
            row["copy_bucket"],
            row["copy_measurement"],
            tuple(json.loads(row["_value"])),
        )
        for row in rows
    ]
