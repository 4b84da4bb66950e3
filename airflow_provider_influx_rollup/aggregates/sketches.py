"""The aggregates that are sketches or are derived from one: from points, and from the sketches of parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from airflow_provider_influx_rollup.aggregates import distinct_sketch, quantile_sketch, quantile_text
from airflow_provider_influx_rollup.aggregates.catalog import Aggregate

Values = NDArray[Any]
Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SketchKind:
    """One kind of sketch; what it works on is its own business.

    :param build: sketches of groups of values
    :param merge: sketches of groups of sketches
    :param encode: the texts that are stored
    :param decode: undoes ``encode``
    :param derive: the number that an aggregate reads from each sketch
    """

    build: Callable[[Values, Positions], Any]
    merge: Callable[[Any, Positions], Any]
    encode: Callable[[Any], Values]
    decode: Callable[[Values], Any]
    derive: Callable[[Any, Aggregate], Values]


def _quantile(sketches: quantile_sketch.QuantileSketches, aggregate: Aggregate) -> Values:
    return quantile_sketch.quantiles(sketches, aggregate.quantile or 0.0)


def _distinct(images: list[distinct_sketch.Image], _aggregate: Aggregate) -> Values:
    return distinct_sketch.estimates(images)


KINDS: dict[str, SketchKind] = {
    "quantile_sketch": SketchKind(
        build=quantile_sketch.sketch_numbers,
        merge=quantile_sketch.merge_sketches,
        encode=quantile_text.encode_quantile_sketches,
        decode=quantile_text.decode_quantile_sketches,
        derive=_quantile,
    ),
    "distinct_sketch": SketchKind(
        build=distinct_sketch.sketch_values,
        merge=distinct_sketch.merge_images,
        encode=distinct_sketch.encode_images,
        decode=distinct_sketch.decode_images,
        derive=_distinct,
    ),
}


def build(name: str, values: Values, starts: Positions) -> Any:
    """Sketches of groups of values.

    :param name: ``"quantile_sketch"`` or ``"distinct_sketch"``
    :param starts: position of each group's first value; groups are never empty
    """
    return KINDS[name].build(values, starts)


def merge_texts(name: str, texts: Values, starts: Positions) -> Any:
    """Sketches of groups of stored sketches: the same, bit for bit, as those of all their values.

    :param name: ``"quantile_sketch"`` or ``"distinct_sketch"``
    :param texts: what a string field of that name holds
    :param starts: position of each group's first text; groups are never empty
    :raises AggregateTypeMismatch: when a text is no such sketch
    """
    return KINDS[name].merge(KINDS[name].decode(texts), starts)


def column(aggregate: Aggregate, sketches: Any) -> Values:
    """The stored form of sketches: their texts, or the number that an aggregate reads from them.

    :param sketches: from ``build`` or ``merge_texts`` of ``aggregate.sketch``
    """
    kind = KINDS[str(aggregate.sketch)]
    return kind.encode(sketches) if aggregate.name == aggregate.sketch else kind.derive(sketches, aggregate)
