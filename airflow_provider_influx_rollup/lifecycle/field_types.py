"""The type of each field, from one typed value of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.exceptions import AggregateTypeMismatch
from airflow_provider_influx_rollup.windows.interval import Interval

# the server starts shard groups at whole multiples of their length after this Monday
SHARD_ANCHOR = datetime(1, 1, 1, tzinfo=UTC)
TYPE_OF_KIND = {"f": "float", "i": "integer", "u": "unsigned", "b": "boolean", "O": "string"}


def shard_parts(interval: Interval, shard_group_seconds: int) -> list[Interval]:
    """An interval cut where shard groups begin: a field may change its type there and nowhere else.

    :param shard_group_seconds: how much time one shard group holds; 0 when unknown, which cuts nothing
    """
    if not shard_group_seconds:
        return [interval]
    length = timedelta(seconds=shard_group_seconds)
    parts = []
    start = interval.start
    while start < interval.stop:
        rest = interval.stop - start
        part = Interval(start, start + min(length - (start - SHARD_ANCHOR) % length, rest))
        parts.append(part)
        start = part.stop
    return parts


def field_types(frames: Iterable[Frame], is_wanted: Callable[[str], object]) -> dict[str, str]:
    """``"float"``, ``"integer"``, ``"unsigned"``, ``"string"`` or ``"boolean"`` of each wanted field.

    :param frames: at least one point of each field and type
    :param is_wanted: whether a field is selected; the others may have any types
    :raises AggregateTypeMismatch: when one field has two types, as it may in different shards
    """
    types: dict[str, str] = {}
    for frame in frames:
        for name in filter(is_wanted, frame.fields):
            field_type = TYPE_OF_KIND[frame.values.dtype.kind]
            if types.setdefault(name, field_type) != field_type:
                what = f"field {name!r} is a {types[name]} field in one part of the interval and {field_type} in another"
                fix = "roll up each part on its own, or select other fields"
                raise AggregateTypeMismatch(what, written="nothing", fix=fix)
    return types
