"""A status in the schema of InfluxDB's own checks, so that its ``monitor`` package reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import InvalidName
from airflow_provider_influx_rollup.flux.deadman import (
    CHECKED_BY,
    STATUS_FIELD,
    STATUS_MEASUREMENT,
    STATUS_TAGS,
    WholeStatus,
)
from airflow_provider_influx_rollup.flux.series import Series
from airflow_provider_influx_rollup.flux.write_points import FluxPoint
from airflow_provider_influx_rollup.ledger.line_protocol import encode_line
from airflow_provider_influx_rollup.lifecycle.run.default_names import is_held
from airflow_provider_influx_rollup.steps.influx import Write
from airflow_provider_influx_rollup.windows.interval import to_ns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_influx_rollup.ledger.line_protocol import FieldValue

DEADMAN = "deadman"
LEVELS = ("ok", "info", "warn", "crit", "unknown")
KINDS: Mapping[type, str] = {bool: "boolean", int: "integer", str: "string"}


def check_id_of(check_name: str) -> str:
    """16 hex digits, as InfluxDB's ids have; the same for the same name."""
    return hashlib.sha256(check_name.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Check:
    """The part that all statuses of a check share.

    :param name: its name; its id is made from it
    :param measurement: the measurement that is checked
    :param kind: ``"deadman"``, or ``"custom"`` as InfluxDB calls checks that it did not make
    :param checked_by: the number of the task that checks; None leaves it out
    """

    name: str
    measurement: str
    kind: str = DEADMAN
    checked_by: int | None = None

    @property
    def id(self) -> str:
        """16 hex digits."""
        return check_id_of(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Status of one series.

    :param source_time: the last point it is based on, UTC
    :param is_dead: the value of the field ``dead``, as InfluxDB's deadman checks write it; only theirs have it
    """

    series: Series
    level: str
    message: str
    source_time: datetime
    is_dead: bool


def write_of_statuses(bucket: str, check: Check, statuses: Iterable[Status], at: datetime) -> Write:
    """All statuses of one time; those of tags that line protocol cannot hold are written by a query.

    :param at: the statuses' time, UTC
    :raises InvalidName: when a tag of a series has the name of one of the schema's own tags
    """
    time_ns = to_ns(at)
    return _write_of_points(bucket, (_point(check, status, time_ns) for status in statuses), time_ns)


def write_again(bucket: str, statuses: Iterable[WholeStatus], at: datetime) -> Write:
    """Statuses of one time as they were read.

    :param at: the statuses' time, UTC
    """
    return _write_of_points(bucket, ((dict(one.tags), one.fields) for one in statuses), to_ns(at))


def _write_of_points(
    bucket: str, points: Iterable[tuple[dict[str, str], Mapping[str, FieldValue]]], time_ns: int
) -> Write:
    lines: list[str] = []
    unheld: list[FluxPoint] = []
    for tags, fields in points:
        try:
            lines.append(encode_line(STATUS_MEASUREMENT, tags, fields, time_ns))
        except InvalidName as error:
            if all(map(is_held, tags.values())):
                # the status has more tags than the series, and so a longer key
                error.fix = "give a group_by without the longest tag, or leave these series out by tags"
                raise
            unheld += [
                FluxPoint(
                    measurement=STATUS_MEASUREMENT,
                    tags=tuple(tags.items()),
                    field=name,
                    kind=KINDS[type(value)],
                    value=value,
                    time_ns=time_ns,
                )
                for name, value in fields.items()
            ]
    return Write(bucket, lines, tuple(unheld))


def _point(check: Check, status: Status, time_ns: int) -> tuple[dict[str, str], dict[str, FieldValue]]:
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
    fields: dict[str, FieldValue] = {
        "_message": status.message,
        STATUS_FIELD: to_ns(status.source_time),
        "_status_timestamp": time_ns,
    }
    if check.kind == DEADMAN:
        fields["dead"] = status.is_dead
    if check.checked_by is not None:
        fields[CHECKED_BY] = check.checked_by
    return tags, fields
