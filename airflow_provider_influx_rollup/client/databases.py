"""The database of the 1.x-compatible API that a bucket is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def database_of(bucket_id: str, mappings: Iterable[Mapping[str, Any]]) -> str | None:
    """The database whose default retention policy is a bucket: statements that list keys know no other.

    The server makes up a mapping for each bucket; one that somebody made wins over it, also when it takes the name of
    another bucket. A bucket ``a/b`` is the policy ``b`` of the database ``a``, and never its default by itself.

    :param mappings: of the organisation, as the server lists them
    """
    defaults: dict[str, Mapping[str, Any]] = {}
    for mapping in mappings:
        known = defaults.get(mapping["database"])
        if mapping["default"] and (known is None or known.get("virtual")):
            defaults[mapping["database"]] = mapping
    return next((name for name, one in sorted(defaults.items()) if one["bucketID"] == bucket_id), None)
