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

    def lacking(self, records: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """The names and ids of records whose id is not known.

        :param records: the name, and the id or nothing, of each record's bucket
        """
        return sorted({one for one in records if one[1] and one[1] not in self.by_id})

    def with_more(self, by_id: Mapping[str, str], by_name: Mapping[str, str]) -> BucketNames:
        """With buckets that were looked up.

        :param by_id: names by the ids that were asked for, of any organisation
        :param by_name: names by id, of the names that were asked for
        """
        own = {**self.by_id, **by_name}
        taken = set(own.values())
        # no two buckets of an organisation have one name
        return BucketNames({**{one: name for one, name in by_id.items() if name not in taken}, **own})

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
