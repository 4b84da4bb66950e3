"""Records name buckets and know their ids: after a rename, the id says which bucket is meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class BucketNames:
    """The present names of buckets.

    :param by_id: the name of each bucket that may be read
    """

    by_id: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> BucketNames:
        """From what ``BucketsNow`` returned."""
        return cls({row["id"]: row["name"] for row in rows})

    def id_of(self, name: str) -> str:
        """The id of the bucket that has a name now; empty when there is none, or it may not be read."""
        return next((bucket_id for bucket_id, known in self.by_id.items() if known == name), "")

    def present(self, name: str, bucket_id: str) -> str:
        """The present name of a record's bucket.

        A record without an id counts by its name. When its bucket is gone and another one has the name, what comes back
        is the name of no bucket.

        :param name: that the bucket had when the record was written
        :param bucket_id: empty in records of before there were ids
        """
        if not bucket_id:
            return name
        known = self.by_id.get(bucket_id)
        if known is None and self.id_of(name):
            return f"{name} (bucket {bucket_id}, deleted)"
        return known or name
