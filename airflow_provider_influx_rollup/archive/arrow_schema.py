"""Map Flux types to Arrow types."""

from __future__ import annotations

import pyarrow as pa

VALUE = "_value"
TIME = pa.timestamp("ns", tz="UTC")
TEXT_OF_KEY = pa.dictionary(pa.int32(), pa.string())

TYPES: dict[str, pa.DataType] = {
    "long": pa.int64(),
    "unsignedLong": pa.uint64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "dateTime": TIME,
    "dateTime:RFC3339": TIME,
    "dateTime:RFC3339Nano": TIME,
}


def arrow_type(flux_type: str, name: str) -> pa.DataType:
    """Find the Arrow type of a column; types without their own, such as durations, are text.

    :param flux_type: as the ``#datatype`` annotation names it
    :param name: of the column; the texts of all but ``_value`` are few and repeat
    """
    found = TYPES.get(flux_type)
    if found is not None:
        return found
    return TEXT_OF_KEY if name != VALUE and flux_type == "string" else pa.string()


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text, plain or as a dictionary."""
    return bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))
