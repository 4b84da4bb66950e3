"""A status in the schema of InfluxDB's own checks, so that its ``monitor`` package reads it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import InvalidName
from airflow_provider_influx_rollup.flux.deadman import STATUS_FIELD, STATUS_MEASUREMENT
from airflow_provider_influx_rollup.ledger.line_protocol import encode_line
from airflow_provider_influx_rollup.lifecycle.inventory import Series
from airflow_provider_influx_rollup.windows.interval import to_ns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DEADMAN = "deadman"
LEVELS = ("ok", "info", "warn", "crit", "unknown")
STATUS_TAGS = frozenset({"_check_id", "_check_name", "_level", "_source_measurement", "_type"})


def check_id_of(check_name: str) -> str:
    """16 hex digits, as InfluxDB's ids have; the same for the same name."""
    return hashlib.sha256(check_name.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Check:
    """What all statuses of a check share.

    :param name: its name; its id is made from it
    :param measurement: the measurement that is checked
    :param kind: ``"deadman"``, or ``"custom"`` as InfluxDB calls checks that it did not make
    """

    name: str
    measurement: str
    kind: str = DEADMAN

    @property
    def id(self) -> str:
        """16 hex digits."""
        return check_id_of(self.name)


@dataclass(frozen=True, slots=True)
class Status:
    """What a check says of one series.

    :param source_time: the last point it is based on, UTC
    :param is_dead: the value of the field ``dead``, as InfluxDB's deadman checks write it; only theirs have it
    """

    series: Series
    level: str
    message: str
    source_time: datetime
    is_dead: bool


def encode_status(check: Check, status: Status, at: datetime) -> str:
    """One line of line protocol.

    :param at: the status's time, UTC
    :raises InvalidName: when a tag of the series has the name of one of the schema's own tags
    """
    taken = [key for key, _ in status.series if key in STATUS_TAGS]
    if taken:
        what = f"the source has a tag {taken[0]!r}, a name that statuses use themselves"
        raise InvalidName(what, written="no status", fix="give a group_by without it")
    tags = dict(status.series) | {
        "_check_id": check.id,
        "_check_name": check.name,
        "_level": status.level,
        "_source_measurement": check.measurement,
        "_type": check.kind,
    }
    fields: dict[str, int | float | str | bool] = {
        "_message": status.message,
        STATUS_FIELD: to_ns(status.source_time),
        "_status_timestamp": to_ns(at),
    }
    if check.kind == DEADMAN:
        fields["dead"] = status.is_dead
    return encode_line(STATUS_MEASUREMENT, tags, fields, to_ns(at))


def read_status(row: Mapping[str, Any]) -> tuple[Series, str, datetime]:
    """Series, level and time of a status.

    :param row: what ``last_statuses_query`` returns
    """
    tags = {key: row[key] for key in row if key not in STATUS_TAGS and key != "_time"}
    series = tuple(sorted((key, str(value)) for key, value in tags.items() if value))
    return series, str(row["_level"]), row["_time"]
