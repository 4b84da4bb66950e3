"""Distinct counts that merge: HyperLogLog by Apache DataSketches, with 4,096 registers.

The library writes the coupons of a small sketch in the order they came, and an estimate that depends on that order into
a large one. Both are put right here, within the library's own format: coupons are sorted, and a large sketch is marked
as one that was merged, whose estimate comes from the registers alone. So one set of values has one sketch, whatever the
order and however it was merged. Every DataSketches library (Java, C++, Python, and the databases that have it) reads it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from airflow_provider_influx_rollup.aggregates.extras import require_datasketches
from airflow_provider_influx_rollup.exceptions import AggregateTypeMismatch

if TYPE_CHECKING:
    import datasketches

Positions = NDArray[np.int64]
# the bytes of one sketch
Image = bytes

LOG2_REGISTERS = 12
# one standard deviation of the relative error, once a sketch has more values than it has room to tell apart
STANDARD_ERROR = 1.04 / 2 ** (LOG2_REGISTERS / 2)

# places in the published format of a sketch
FLAGS, MODE = 5, 7
OUT_OF_ORDER = 0x10
MODE_BITS = 0b11
COUPONS_BEGIN = {0: 8, 1: 12}  # in a list, in a hash set; the third mode has registers
ORDER_DEPENDENT_ESTIMATE = slice(8, 16)

# the library leaves an empty text out, so that one and every text of nothing but NULs is one NUL longer
NUL = "\0"


def sketch_values(values: NDArray[Any], starts: Positions) -> list[Image]:
    """One sketch for each group of values.

    :param values: floats, integers, booleans, or strings as objects, sorted by group
    :param starts: position of each group's first value; groups are never empty
    :raises ConfigurationError: when the library is not installed
    """
    library = require_datasketches()
    images = []
    for start, stop in pairwise([*starts.tolist(), len(values)]):
        sketch = library.hll_sketch(LOG2_REGISTERS, library.HLL_6)
        deque(map(sketch.update, _plain(values[start:stop])), maxlen=0)
        images.append(_canonical(sketch))
    return images


def merge_images(images: Sequence[Image], starts: Positions) -> list[Image]:
    """One sketch for each group of sketches, equal to the sketch of all their values.

    :param starts: position of each group's first sketch; groups are never empty
    """
    library = require_datasketches()
    merged = []
    for start, stop in pairwise([*starts.tolist(), len(images)]):
        union = library.hll_union(LOG2_REGISTERS)
        for image in images[start:stop]:
            union.update(library.hll_sketch.deserialize(image))
        merged.append(_canonical(union.get_result(library.HLL_6)))
    return merged


def estimates(images: Sequence[Image]) -> Positions:
    """Number of distinct values that each sketch stands for."""
    read = require_datasketches().hll_sketch.deserialize
    return np.array([round(read(image).get_estimate()) for image in images], np.int64)


def encode_images(images: Sequence[Image]) -> NDArray[Any]:
    """Sketches as texts: base64."""
    texts = np.empty(len(images), object)
    texts[:] = [b64encode(image).decode() for image in images]
    return texts


def decode_images(texts: Sequence[str] | NDArray[Any]) -> list[Image]:
    """Undo ``encode_images``.

    :raises AggregateTypeMismatch: when a text is no sketch
    """
    read = require_datasketches().hll_sketch.deserialize
    try:
        images = [b64decode(text, validate=True) for text in texts]
        sizes = {read(image).lg_config_k for image in images}
    except (ValueError, RuntimeError, IndexError) as error:
        raise _no_sketch(str(error)) from error
    if sizes - {LOG2_REGISTERS}:
        why = f"it has not 2^{LOG2_REGISTERS} registers"
        raise _no_sketch(why)
    return images


def _plain(values: NDArray[Any]) -> list[Any]:
    """Python values, of the types that the library takes."""
    if values.dtype.kind == "u":
        values = values.astype(np.uint64).view(np.int64)
    if values.dtype.kind == "b":
        values = values.astype(np.int64)
    plain: list[Any] = values.tolist()
    if values.dtype.kind == "O":
        return [text if text.strip(NUL) else text + NUL for text in plain]
    return plain


def _canonical(sketch: datasketches.hll_sketch) -> Image:
    image = bytearray(sketch.serialize_compact())
    begin = COUPONS_BEGIN.get(image[MODE] & MODE_BITS)
    if begin is None:
        image[FLAGS] |= OUT_OF_ORDER
        image[ORDER_DEPENDENT_ESTIMATE] = bytes(8)
    else:
        image[begin:] = np.sort(np.frombuffer(image, "<u4", offset=begin)).tobytes()
    return bytes(image)


def _no_sketch(why: str) -> AggregateTypeMismatch:
    what = f"a stored value is no distinct sketch: {why}"
    fix = "read a field that ends with _distinct_sketch, and roll its windows up again"
    return AggregateTypeMismatch(what, written="nothing", fix=fix)
