"""Ledger points that name where validations copied points, so that an erasure finds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.ledger.line_protocol import encode_line

COPIES_MEASUREMENT = "validation_copies"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedTo:
    """The place to which a validation copies the points of a measurement.

    :param bucket: of the copies; likewise the measurement
    :param changed_tags: tag keys that a copy may not have as its point has them
    :param source_id: of the bucket of the points; empty in records of before there were ids. Likewise ``copy_id``
    """

    validation: str
    source_bucket: str
    source_measurement: str
    bucket: str
    measurement: str
    changed_tags: Sequence[str] = ()
    source_id: str = ""
    copy_id: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All that says what is copied where, by name."""
        return (
            self.validation,
            self.source_bucket,
            self.source_measurement,
            self.bucket,
            self.measurement,
            *sorted(self.changed_tags),
        )

    @property
    def buckets(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Name and id of both buckets."""
        return (self.source_bucket, self.source_id), (self.bucket, self.copy_id)

    def present(self, names: BucketNames) -> CopiedTo:
        """The same with the buckets as they are called now."""
        source = names.present(self.source_bucket, self.source_id)
        return replace(self, source_bucket=source, bucket=names.present(self.bucket, self.copy_id))

    def line(self) -> str:
        """Line protocol; the same copies always give the same point."""
        changed = json.dumps(sorted(self.changed_tags))
        tags = {
            "validation": self.validation,
            "source_bucket": self.source_bucket,
            "measurement": self.source_measurement,
            "copy_bucket": self.bucket,
            "copy_measurement": self.measurement,
            "source_id": self.source_id,
            "copy_id": self.copy_id,
            # what a validation wrote before its transformations were others is there too
            "variant": hashlib.sha256(changed.encode()).hexdigest()[:8],
        }
        return encode_line(COPIES_MEASUREMENT, tags, {"changed_tags": changed}, 0)


def decode_copies(rows: Iterable[Mapping[str, Any]]) -> list[CopiedTo]:
    """Undo ``CopiedTo.line``; a record without ids that was written again with them is left out.

    :param rows: one for each point
    """
    found = [
        CopiedTo(
            validation=row["validation"],
            source_bucket=row["source_bucket"],
            source_measurement=row["measurement"],
            bucket=row["copy_bucket"],
            measurement=row["copy_measurement"],
            changed_tags=tuple(json.loads(row["_value"])),
            source_id=row.get("source_id") or "",
            copy_id=row.get("copy_id") or "",
        )
        for row in rows
    ]
    with_ids = {one.names for one in found if one.source_id}
    return [one for one in found if one.source_id or one.names not in with_ids]
