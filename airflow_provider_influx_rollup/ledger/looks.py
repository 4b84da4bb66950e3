"""Records of looks at a source: since when its counts have been the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.ledger.line_protocol import encode_line
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns, to_ns

LOOK_MEASUREMENT = "window_look"


@dataclass(frozen=True, slots=True)
class SourceLook:
    """Result of one observation.

    :param watch: 16 hex digits, the same for the same watch
    :param fingerprint: of the counts of each series; another one when points came or went
    :param seen_since: the first look that found it, aware UTC
    """

    watch: str
    interval: Interval
    fingerprint: str
    seen_since: datetime


def short_hash(parts: Iterable[object]) -> str:
    """16 hex digits of some values, in their order."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]


def encode_look(look: SourceLook) -> str:
    """One line of line protocol at the interval's start."""
    fields: dict[str, int | float | str | bool] = {
        "stop_ns": look.interval.stop_ns,
        "fingerprint": look.fingerprint,
        "seen_since_ns": to_ns(look.seen_since),
    }
    return encode_line(LOOK_MEASUREMENT, {"watch": look.watch}, fields, look.interval.start_ns)


def decode_look(rows: Iterable[Mapping[str, Any]], interval: Interval) -> SourceLook | None:
    """The record of an interval; None when there is none, or only one of an interval of another length.

    :param rows: what ``LastLook`` returns
    """
    for row in rows:
        if row["stop_ns"] == interval.stop_ns:
            since = from_ns(row["seen_since_ns"])
            return SourceLook(str(row["watch"]), interval, str(row["fingerprint"]), since)
    return None
