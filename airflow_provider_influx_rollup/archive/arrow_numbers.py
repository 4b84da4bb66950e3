"""Numbers between NumPy and Arrow; pyarrow's own ``array`` and ``to_numpy`` import pandas (0.35 s) where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray


def array_of(values: NDArray[Any]) -> pa.Array:
    """An Arrow array of numbers, without a copy.

    :param values: of one of NumPy's number types
    """
    plain = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(plain.dtype), len(plain), [None, pa.py_buffer(plain)])


def numbers_of(array: pa.Array) -> NDArray[Any]:
    """The numbers of an Arrow array, without a copy.

    :param array: of 32 or 64 bit integers, without nulls
    """
    kind = np.dtype(np.int32 if array.type == pa.int32() else np.int64)
    values = np.frombuffer(array.buffers()[1], kind)
    return values[array.offset : array.offset + len(array)]
