"""Numbers between NumPy and Arrow; pyarrow's own ``array`` and ``to_numpy`` import pandas (0.35 s) where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

NUMPY_TYPES = {"double": "float64", "float": "float32"}


def array_of(values: NDArray[Any]) -> pa.Array:
    """An Arrow array of numbers, without a copy.

    :param values: of one of NumPy's number types
    """
    import numpy as np
    import pyarrow as pa

    plain = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(plain.dtype), len(plain), [None, pa.py_buffer(plain)])


def rows_where(batch: pa.RecordBatch, is_wanted: NDArray[Any]) -> pa.RecordBatch:
    """Some rows of a batch.

    :param is_wanted: truths, one for each row
    """
    import numpy as np

    return batch if is_wanted.all() else batch.take(array_of(np.flatnonzero(is_wanted)))


def numbers_of(array: pa.Array) -> NDArray[Any]:
    """The numbers of an Arrow array, without a copy; what stands in the place of nulls is not defined.

    :param array: of integers or floats
    """
    import numpy as np

    name = str(array.type)
    if not len(array):
        return np.zeros(0, NUMPY_TYPES.get(name, name))
    values = np.frombuffer(array.buffers()[1], NUMPY_TYPES.get(name, name))
    return values[array.offset : array.offset + len(array)]
