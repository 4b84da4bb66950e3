"""One tag set under several series keys, as Flux's ``to()`` makes them: it stores tags in the order of the columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from tests.oracle import query

if TYPE_CHECKING:
    from tests.scenes.rollup_runs import Place


def write_in_order(
    place: Place,
    bucket: str,
    tag_order: Sequence[str],
    tags: Mapping[str, str],
    field: str,
    points: Iterable[tuple[pd.Timestamp, Any]],
    measurement: str | None = None,
) -> None:
    """Write points of one series under the key whose tags have this order.

    :param tag_order: all the keys of ``tags``
    """
    texts = "".join(f", {key}: {json.dumps(tags[key], ensure_ascii=False)}" for key in tag_order)
    head = f'_measurement: "{measurement or place.measurement}", _field: "{field}"'
    rows = [
        f"{{{head}{texts}, _time: {moment.isoformat().replace('+00:00', 'Z')}, _value: {_literal(value)}}}"
        for moment, value in points
    ]
    if not rows:
        return
    columns = json.dumps([*tag_order, "_measurement", "_field"], ensure_ascii=False)
    flux = f"""import "array"
        array.from(rows: [{", ".join(rows)}]) |> group(columns: {columns})
        |> to(bucket: "{bucket}", tagColumns: {json.dumps(list(tag_order), ensure_ascii=False)})"""
    query(place.server.url, place.server.org, place.server.token, flux)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return str(value)
    # Flux has no exponents
    text = format(Decimal(repr(value)), "f")
    return text if "." in text else f"{text}.0"


def minutes(start: str, values: Sequence[Any]) -> list[tuple[pd.Timestamp, Any]]:
    """A point each minute."""
    first = pd.Timestamp(start, tz="UTC")
    return [(first + pd.Timedelta(minutes=number), value) for number, value in enumerate(values)]


def frame_of(points: Iterable[tuple[pd.Timestamp, Any]], tags: Mapping[str, str], field: str) -> pd.DataFrame:
    """Points of one tag set, for the oracle."""
    frame = pd.DataFrame([(moment, value) for moment, value in points], columns=["_time", field])
    return frame.assign(**tags)
