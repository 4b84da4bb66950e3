"""The catalog of aggregates: what each needs, and how InfluxDB computes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from airflow_provider_influx_rollup.exceptions import UnknownAggregate

QUANTILE = re.compile(r"p([0-9]{1,2}(?:\.[0-9]{1,4})?|100)(_approx)?")


class Source(Enum):
    """The input of an aggregate."""

    PUSHED = "computed by the storage engine"
    RAW = "computed from the raw points"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """One aggregate function.

    :param name: its name, also the suffix of the fields it writes
    :param source: whether the storage engine can compute it
    :param numeric_only: whether it needs numbers; the others take any type
    :param mergeable: whether the results of parts merge exactly into the result of the whole
    :param flux: the Flux function or calls that compute one window; empty when only the worker can
    :param quantile: between 0 and 1, for quantiles
    :param sketch: the sketch it is or is read from, which is stored with it
    :param flux_of_ties: the Flux for windows that have points of one time; empty when that is the same
    """

    name: str
    source: Source
    numeric_only: bool
    mergeable: bool
    flux: str
    quantile: float | None = None
    sketch: str | None = None
    flux_of_ties: str = ""

    @property
    def package(self) -> str | None:
        """The Python package that only those install who need it."""
        return "datasketches" if self.sketch == "distinct_sketch" else None


def _pushed(name: str, *, numeric_only: bool, mergeable: bool) -> Aggregate:
    return Aggregate(
        name=name, source=Source.PUSHED, numeric_only=numeric_only, mergeable=mergeable, flux=name
    )


def _raw(name: str, flux: str, *, numeric_only: bool = True, flux_of_ties: str = "") -> Aggregate:
    return Aggregate(
        name=name,
        source=Source.RAW,
        numeric_only=numeric_only,
        mergeable=False,
        flux=flux,
        flux_of_ties=flux_of_ties,
    )


def _sketched(
    name: str, sketch: str, *, numeric_only: bool, mergeable: bool = False, quantile: float | None = None
) -> Aggregate:
    return Aggregate(
        name=name,
        source=Source.RAW,
        numeric_only=numeric_only,
        mergeable=mergeable,
        flux="",
        quantile=quantile,
        sketch=sketch,
    )


# integral() takes the first of several points of one time, and leaves out the others
INTEGRAL_OF_TIES = """toFloat() |> reduce(
    identity: {__time: 0, __value: 0.0, __count: 0, _value: 0.0},
    fn: (r, accumulator) => ({
      __time: int(v: r._time),
      __value: r._value,
      __count: accumulator.__count + 1,
      _value: if accumulator.__count == 0 then 0.0
        else accumulator._value
          + float(v: int(v: r._time) - accumulator.__time) / 1000000000.0 * (accumulator.__value + r._value) / 2.0,
    }),
  ) |> drop(columns: ["__time", "__value", "__count"])"""

# min and max of strings and booleans are errors on the server, so they are numeric here
CATALOG: dict[str, Aggregate] = {
    aggregate.name: aggregate
    for aggregate in (
        _pushed("count", numeric_only=False, mergeable=True),
        _pushed("sum", numeric_only=True, mergeable=True),
        _pushed("min", numeric_only=True, mergeable=True),
        _pushed("max", numeric_only=True, mergeable=True),
        _pushed("first", numeric_only=False, mergeable=True),
        _pushed("last", numeric_only=False, mergeable=True),
        _pushed("mean", numeric_only=True, mergeable=False),
        _raw("median", 'toFloat() |> quantile(q: 0.5, method: "exact_mean")'),
        _raw("stddev", 'stddev(mode: "sample")'),
        _raw("spread", "spread()"),
        _raw("distinct", "distinct() |> count()", numeric_only=False),
        # integral() refuses points that are out of order, as those of two series keys of one tag set come
        _raw(
            "integral",
            'sort(columns: ["_time"]) |> toFloat() |> integral(unit: 1s)',
            flux_of_ties=INTEGRAL_OF_TIES,
        ),
        # Flux has difference(), but it leaves out windows of one point and turns unsigned values into signed ones
        _raw("increase", ""),
        _raw("resets", ""),
        _sketched("quantile_sketch", "quantile_sketch", numeric_only=True, mergeable=True),
        _sketched("distinct_sketch", "distinct_sketch", numeric_only=False, mergeable=True),
        _sketched("distinct_approx", "distinct_sketch", numeric_only=False),
    )
}


def find_aggregate(name: str) -> Aggregate:
    """Look an aggregate up by name; ``p`` and a number from 0 to 100 is a quantile, such as ``p99`` or ``p99.9``.

    With ``_approx`` behind it, the quantile is read from a sketch: ``p99_approx``.

    :raises UnknownAggregate: when there is none of that name
    """
    known = CATALOG.get(name)
    if known is not None:
        return known
    matched = QUANTILE.fullmatch(name)
    if matched is None:
        what = f"there is no aggregate {name!r}"
        known_names = ", ".join(CATALOG)
        raise UnknownAggregate(
            what, written="nothing", fix=f"use {known_names}, or a quantile such as p99 or p99_approx"
        )
    quantile = float(matched[1]) / 100
    if matched[2]:
        return _sketched(name, "quantile_sketch", numeric_only=True, quantile=quantile)
    # a task of InfluxDB reads only some 15 digits of a number
    is_short = float(f"{quantile:.15g}") == quantile
    q = repr(quantile) if is_short else f"{matched[1]} / 100.0"
    flux = f'toFloat() |> quantile(q: {q}, method: "exact_mean")'
    return Aggregate(
        name=name, source=Source.RAW, numeric_only=True, mergeable=False, flux=flux, quantile=quantile
    )
