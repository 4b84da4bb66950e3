"""Rows that InfluxDB cannot hold: the name of the target's field makes their key longer than that of the source's points."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from airflow_provider_influx_rollup.ledger.line_protocol import (
    KEY_SPECIALS,
    MAX_KEY_BYTES,
    MEASUREMENT_SPECIALS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_influx_rollup.aggregates.frame import Codes, TagSet

# a character has at most four bytes, and one more where it is escaped
MAX_BYTES = 5


def key_bytes(measurement: str, tag_sets: Sequence[TagSet], fields: Sequence[str]) -> Codes | None:
    """Bytes of each series key; None when none can be too long with these fields."""
    texts = max((sum(map(len, chain.from_iterable(tags))) + 2 * len(tags) for tags in tag_sets), default=0)
    field = max(map(len, fields), default=0)
    if MAX_BYTES * (texts + len(measurement) + field) <= MAX_KEY_BYTES:
        return None
    own = _size(measurement, MEASUREMENT_SPECIALS)
    return np.array([own + sum(map(_tag_size, tags)) for tags in tag_sets], np.int64)


def most_bytes_beside(field: str) -> int:
    """Bytes that a series key may have beside a field."""
    return MAX_KEY_BYTES - _size(field, KEY_SPECIALS)


def _tag_size(tag: tuple[str, str]) -> int:
    key, text = tag
    return 2 + _size(key, KEY_SPECIALS) + _size(text, KEY_SPECIALS) if text else 0


def _size(text: str, specials: Mapping[int, str]) -> int:
    return len(text.translate(specials).encode())
