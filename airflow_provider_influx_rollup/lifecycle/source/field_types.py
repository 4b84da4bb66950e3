"""The type of each field, from one typed value of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.exceptions import AggregateTypeMismatch
from airflow_provider_influx_rollup.flux.field_samples import FieldSamples
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps

TYPE_OF_KIND = {"f": "float", "i": "integer", "u": "unsigned", "b": "boolean", "O": "string"}
TYPE_OF_VALUE: dict[type, str] = {float: "float", int: "integer", bool: "boolean", str: "string"}


def known_types(bucket: str, measurement: str) -> Steps[dict[str, str]]:
    """The type that each field has now, by its last value; integers are not told from unsigned ones."""
    samples = yield from ask(FieldSamples(bucket, measurement))
    return {name: TYPE_OF_VALUE[type(value)] for name, value in samples.items()}


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
