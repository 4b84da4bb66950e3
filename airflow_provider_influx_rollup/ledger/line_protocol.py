"""One point as a line of line protocol, exactly as InfluxDB 2 reads it back."""

from __future__ import annotations

import re
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidName

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

FieldValue = int | float | str | bool

INT64 = (-(2**63), 2**63 - 1)
UINT64 = (0, 2**64 - 1)

# refused by the server, or accepted and then poison to every Flux read of the measurement
RESERVED_TAG_KEYS = frozenset({"_field", "_measurement", "_start", "_stop", "_time", "_value", "time"})
RESERVED_FIELD_KEYS = frozenset({"time"})

MEASUREMENT_SPECIALS = str.maketrans({",": "\\,", " ": "\\ "})
KEY_SPECIALS = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
STRING_SPECIALS = str.maketrans({"\\": "\\\\", '"': '\\"'})

# the server adds four bytes and the field to a series and refuses more: "max key length exceeded"
MAX_KEY_BYTES = 65_535 - 4

# the server reads an escaped special after a backslash as the end of the name; tags alone survive it
BACKSLASH_BEFORE_SPECIAL = re.compile(r"\\[,= ]")
BACKSLASH_BEFORE_MARK = re.compile(r'\\[,= "]')
# a line feed after an odd number of backslashes is part of the name, and so are the backslashes
LINE_BREAK = re.compile(r"(?<!\\)(?:\\\\)*\n")


class UInt(int):
    """An int that is written as an unsigned integer (``u``) instead of a signed one (``i``)."""


def encode_line(
    measurement: str,
    tags: Mapping[str, str],
    fields: Mapping[str, FieldValue],
    time_ns: int,
) -> str:
    """Encode one point, with sorted tags, so that one tag set has one series key.

    :param measurement: name of the measurement
    :param tags: tag values by key; empty values are left out, as line protocol cannot hold them
    :param fields: at least one value; an int is written as int64 (``UInt`` as uint64), a bool as a boolean
    :param time_ns: nanoseconds since the epoch, UTC
    :raises InvalidName: when the server would refuse a name or read it back as another one
    :raises ConfigurationError: when a value or the time does not fit its type
    """
    names = tuple(sorted(fields))
    head = _head(measurement, tuple(tags.items()), names)
    values = ",".join([_begin_of_field(name) + encode_value(name, fields[name]) for name in names])
    return f"{head} {values} {_require_time(time_ns)}"


class LineTemplate:
    """Lines that differ in their time and in the values of some fields: what they share is encoded once.

    :param shared: fields that all of them have, with one value
    :param own: names of the fields of which each line has a value of its own, in alphabetical order
    :raises InvalidName: when the server would refuse a name or read it back as another one
    :raises ConfigurationError: when a value does not fit its type, or there is no field
    """

    def __init__(
        self, measurement: str, tags: Mapping[str, str], shared: Mapping[str, FieldValue], own: Sequence[str]
    ) -> None:
        names = tuple(sorted([*shared, *own]))
        head = _head(measurement, tuple(tags.items()), names)
        values = {name: encode_value(name, value) for name, value in shared.items()}
        texts = [_escaped(_begin_of_field(name) + values.get(name, "")) for name in names]
        fields = [text if name in values else f"{text}%s" for name, text in zip(names, texts, strict=True)]
        self._text = f"{_escaped(head)} {','.join(fields)} %d"

    def line(self, own: tuple[str, ...], time_ns: int) -> str:
        """One of the lines.

        :param own: the values of its own fields, of ``encode_value``, in the order of their names
        :param time_ns: nanoseconds since the epoch, UTC
        :raises ConfigurationError: when the time is not a 64 bit number
        """
        return self._text % (*own, _require_time(time_ns))


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _require_time(time_ns: int) -> int:
    if not _fits(time_ns, INT64):
        what = f"time {time_ns} is not a 64 bit number of nanoseconds"
        raise ConfigurationError(what, fix="use a time between the years 1677 and 2262")
    return time_ns


@lru_cache(maxsize=1024)
def _begin_of_field(name: str) -> str:
    return f"{encode_field_key(name)}="


@lru_cache(maxsize=256)
def _head(measurement: str, tags: tuple[tuple[str, str], ...], fields: tuple[str, ...]) -> str:
    """The begin of a line with fields: many lines in a row have the same one."""
    if not fields:
        what = f"a point of measurement {measurement!r} has no field"
        raise ConfigurationError(what, fix="give at least one field")
    return encode_series(measurement, dict(tags), fields)


def encode_series(
    measurement: str, tags: Mapping[str, str], fields: Iterable[str], *, is_alone: bool = False
) -> str:
    """Encode the begin of a line: the measurement and the sorted tags.

    :param tags: tag values by key; empty values are left out
    :param fields: the fields that the line has
    :param is_alone: the line is the only one of its request, which holds a few names more
    :raises InvalidName: when the server would refuse a name or read it back as another one
    """
    head = encode_measurement(measurement)
    if tags:
        head = ",".join([head, *(encode_tag(key, tags[key]) for key in sorted(tags) if tags[key])])
    names = list(fields)
    _check_quotes(measurement, [*tags, *tags.values()], names, is_alone=is_alone)
    require_short([head], names)
    return head


def _check_quotes(measurement: str, tag_names: list[str], fields: list[str], *, is_alone: bool) -> None:
    """The server counts ``=`` and ``,`` to know whether a quote begins a string, and would swallow the next line."""
    has_quote = any('"' in name for name in (measurement, *tag_names, *fields))
    checked = [measurement, *fields, *(() if is_alone else tag_names)]
    is_counted_wrong = "=" in measurement and not is_alone
    if has_quote and (is_counted_wrong or any(BACKSLASH_BEFORE_MARK.search(name) for name in checked)):
        what = (
            f"a name at measurement {measurement!r} has a double quote, and one beside it a backslash before "
            "a comma, an equals sign, a space or a quote (or the measurement an equals sign)"
        )
        raise InvalidName(what, fix="line protocol cannot hold both: rename one of them")


def require_short(heads: Sequence[str], fields: Collection[str]) -> None:
    """Refuse lines whose series and field are longer than InfluxDB holds.

    :param heads: of lines, encoded
    :param fields: that these lines have
    :raises InvalidName: with the begin of the longest
    """
    field = max((len(encode_field_key(name).encode()) for name in fields), default=0)
    if 4 * max(map(len, heads), default=0) + field <= MAX_KEY_BYTES:
        return  # no character has more than four bytes
    longest = max(heads, key=lambda head: len(head.encode()))
    size = len(longest.encode()) + field
    if size > MAX_KEY_BYTES:
        what = f"measurement, tags and field have {size} bytes together, at {longest[:100]!r}"
        raise InvalidName(what, fix=f"InfluxDB holds {MAX_KEY_BYTES} bytes: use shorter names or tag values")


def encode_measurement(name: str) -> str:
    """Check and escape a measurement name."""
    _check_name("measurement", name)
    _check_not_split("measurement", name)
    if name.startswith("#"):
        what = f"measurement {name!r} starts with '#'"
        raise InvalidName(what, fix="rename it: the server takes such a line for a comment and drops it")
    return name.translate(MEASUREMENT_SPECIALS)


def encode_tag(key: str, value: str) -> str:
    """Check and escape one ``key=value`` of a tag set."""
    _check_name("tag key", key)
    _check_name(f"value of tag {key!r}", value)
    if key in RESERVED_TAG_KEYS:
        what = f"tag key {key!r} is reserved"
        raise InvalidName(what, fix="use another tag key")
    return f"{key.translate(KEY_SPECIALS)}={value.translate(KEY_SPECIALS)}"


def encode_field_key(name: str) -> str:
    """Check and escape a field key."""
    _check_name("field", name)
    _check_not_split("field", name)
    if name in RESERVED_FIELD_KEYS:
        what = f"field {name!r} is reserved"
        raise InvalidName(what, fix="use another field name")
    return name.translate(KEY_SPECIALS)


def encode_value(field: str, value: FieldValue) -> str:
    """Write a value with the mark of its type.

    :param field: name of the field, for the message
    """
    # most values of a ledger: a plain integer that fits
    if type(value) is int and INT64[0] <= value <= INT64[1]:
        return f"{value}i"
    if isinstance(value, str):
        if not value.isascii():
            _check_encodable(f"value of field {field!r}", value)
        # most texts have none, and to look for them is a tenth of the work
        return f'"{value.translate(STRING_SPECIALS)}"' if '"' in value or "\\" in value else f'"{value}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _encode_integer(field, value)
    if isinstance(value, float):
        if not isfinite(value):
            raise _unwritable(field, value, "is not a finite number")
        return repr(float(value))
    raise _unwritable(field, value, f"has type {type(value).__name__}")


def _encode_integer(field: str, value: int) -> str:
    limits, mark = (UINT64, "u") if isinstance(value, UInt) else (INT64, "i")
    if not _fits(value, limits):
        raise _unwritable(field, value, "does not fit into 64 bits")
    return f"{int(value)}{mark}"


def _fits(number: int, limits: tuple[int, int]) -> bool:
    return limits[0] <= number <= limits[1]


def _unwritable(field: str, value: object, why: str) -> ConfigurationError:
    what = f"value {value!r} of field {field!r} {why}"
    return ConfigurationError(what, fix="InfluxDB keeps int64, uint64, finite floats, strings and booleans")


def _check_name(role: str, name: str) -> None:
    if not name:
        what = f"{role} is empty"
        raise InvalidName(what, fix="give it at least one character")
    if LINE_BREAK.search(name):
        what = f"{role} {name!r} has a line break"
        raise InvalidName(what, fix="line protocol cannot hold it: rename it")
    if name.endswith("\\"):
        what = f"{role} {name!r} ends with a backslash"
        raise InvalidName(what, fix="the server takes it for an escape: rename it")
    _check_encodable(role, name)


def _check_not_split(role: str, name: str) -> None:
    if name[0] in "\t\0":
        what = f"{role} {name!r} starts with a tab or NUL"
        raise InvalidName(what, fix="the server strips it: rename it")
    if BACKSLASH_BEFORE_SPECIAL.search(name):
        what = f"{role} {name!r} has a backslash before a comma, an equals sign or a space"
        raise InvalidName(what, fix="line protocol cannot hold it: rename it")


def _check_encodable(role: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        what = f"{role} {text!r} is not valid Unicode"
        raise InvalidName(what, fix="remove the lone surrogate") from None
