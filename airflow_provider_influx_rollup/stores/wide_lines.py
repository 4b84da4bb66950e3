"""Texts of points as lines: the fields of one series and time in one line, which the server takes twice as fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.arrow_numbers import array_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PointTexts:
    """Points, of which the texts are made.

    :param heads: ``measurement,tags`` of each series
    :param series: place in ``heads`` of each point
    :param times_ns: of each point, nanoseconds since the epoch, UTC
    :param bodies: ``field=value`` of each point, large strings
    """

    heads: tuple[str, ...]
    series: NDArray[np.int64]
    times_ns: NDArray[np.int64]
    bodies: pa.Array

    def filter(self, is_kept: pa.Array) -> PointTexts:
        """Some of the points."""
        import numpy as np

        kept = np.array(is_kept.to_pylist(), np.bool_)
        return PointTexts(self.heads, self.series[kept], self.times_ns[kept], self.bodies.filter(is_kept))


def lines_of(parts: Sequence[PointTexts]) -> tuple[pa.Array, NDArray[np.int64]]:
    """A line for each point, in their order, and that it has one point."""
    import numpy as np
    import pyarrow as pa

    lines = [_lines(part.heads, part.series, part.bodies, part.times_ns) for part in parts]
    whole = lines[0] if len(lines) == 1 else pa.concat_arrays(lines)
    return whole, np.ones(len(whole), np.int64)


def wide_lines_of(parts: Sequence[PointTexts]) -> tuple[pa.Array, NDArray[np.int64]]:
    """A line for all points of one series and time, by series and time, and how many points each line has.

    :param parts: at least one; no two points have the same series, field and time
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    known: dict[str, int] = {}
    numbers = [
        np.array([known.setdefault(head, len(known)) for head in part.heads], np.int64)[part.series]
        for part in parts
    ]
    series, times = np.concatenate(numbers), np.concatenate([part.times_ns for part in parts])
    order = np.lexsort((times, series))
    series, times = series[order], times[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (series[1:] != series[:-1]) | (times[1:] != times[:-1])
    bounds = np.append(np.flatnonzero(is_first), len(order))
    bodies = pa.concat_arrays([part.bodies for part in parts]).take(array_of(order))
    comma = pa.scalar(",", pa.large_string())
    joined = pc.binary_join(pa.LargeListArray.from_arrays(array_of(bounds), bodies), comma)
    return _lines(tuple(known), series[is_first], joined, times[is_first]), np.diff(bounds)


def _lines(
    heads: Sequence[str], series: NDArray[np.int64], bodies: pa.Array, times_ns: NDArray[np.int64]
) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    space, end = pa.scalar(" ", pa.large_string()), pa.scalar("\n", pa.large_string())
    empty = pa.scalar("", pa.large_string())
    texts = pa.array(heads, pa.large_string()).take(array_of(series))
    times = array_of(times_ns).cast(pa.large_string())
    return pc.binary_join_element_wise(texts, space, bodies, space, times, end, empty)
