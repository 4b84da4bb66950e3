"""The tags of a series, as a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_influx_rollup.shown_text import bytes_spelled

Series = tuple[tuple[str, str], ...]
"""The tags of a series, sorted by key, without empty ones."""

NOT_TAGS = frozenset({"_time", "_value", "_field"})


def series_of(tags: Mapping[str, Any]) -> Series:
    r"""The tags of a result row or of a user's mapping as a key; an empty value means that the tag is absent.

    Bytes that are not UTF-8 are spelled ``\xHH``: nothing else could be written into a status, or sent.
    """
    named = ((key, str(tags[key])) for key in tags if key not in NOT_TAGS and tags[key])
    return tuple(sorted((bytes_spelled(key), bytes_spelled(value)) for key, value in named))
