"""Names that InfluxDB can hold."""

from __future__ import annotations

import re
from typing import Literal

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidName
from airflow_provider_influx_rollup.flux.literals import require_encodable

NameKind = Literal["bucket", "measurement", "tag", "tag value", "field", "validation"]

# NUL: refused by deletes; line feed: ends a line of line protocol; carriage return: lost in CSV answers, which are read in
# another way then, and by deletes; a name that people give has it by mistake. A tag value may be any text of a device: queries write
# what line protocol cannot hold, and InfluxQL deletes it
_FORBIDDEN = {"\0": "a NUL character", "\n": "a line feed", "\r": "a carriage return"}

# the server takes the backslash for an escape when it reads its own index
_READ_AS_ANOTHER = re.compile(r'\\[,= "]')

# the write API refuses the first three; a tag with one of the others breaks every query that reads it
_RESERVED = {
    "tag": frozenset({"time", "_field", "_measurement", "_time", "_start", "_stop", "_value"}),
    "field": frozenset({"time"}),
}

#: what helps where a tag is called like one of these columns
RENAME_TAG = (
    "see whether the measurement has a tag called _time, _value, _start or _stop: no query can read its points as they "
    "are; leave these series out with tags=, or write the points again under another tag key and delete the old ones"
)


def validate_name(kind: NameKind, text: str) -> str:
    """Return the name itself, when InfluxDB can write it, read it back and delete it unchanged.

    :param kind: what it names
    :raises InvalidName: with the reason
    """
    reason = why_invalid(kind, text)
    if reason:
        what = f"the {kind} name {text!a} cannot be used: {reason}"
        raise InvalidName(what, fix=f"choose another {kind} name")
    return text


def validate_written_measurement(name: str) -> str:
    """Return the name itself, when line protocol can write it too; Flux's ``to()`` writes some more.

    :raises InvalidName: with the reason
    """
    if reason := why_not_written(validate_name("measurement", name)):
        what = f"the measurement name {name!a} cannot be written: {reason}"
        raise InvalidName(what, fix="choose another measurement name for what is written")
    return name


def why_not_written(name: str) -> str | None:
    """Return what keeps rows from being written under a measurement's name, or None."""
    is_comment = name.startswith("#")
    reason = "a line that begins with # is a comment and is dropped silently" if is_comment else None
    return why_invalid("measurement", name) or reason


def why_invalid(kind: NameKind, text: object) -> str | None:
    """Return what is wrong with a name, or None."""
    if not text:
        return "it is empty"
    if not isinstance(text, str):
        return "it is no text"
    try:
        require_encodable(text)
    except ConfigurationError:
        return "it holds a character that UTF-8 cannot carry"
    if kind == "tag value":
        return None
    for character, description in _FORBIDDEN.items():
        if character in text and not (character == "\r" and kind == "field"):
            return f"it holds {description}"
    return _why_invalid_as(kind, text)


def _why_invalid_as(kind: NameKind, text: str) -> str | None:
    """Return what is wrong with a name of this kind only, or None."""
    if kind == "bucket":
        return "it holds a double quote" if '"' in text else None
    if text.endswith("\\"):
        return "line protocol cannot end a name with a backslash"
    if text in _RESERVED.get(kind, frozenset()):
        return "InfluxDB uses it itself"
    if kind == "measurement" and _READ_AS_ANOTHER.search(text):
        return (
            "it has a backslash before a comma, an equals sign, a space or a double quote: InfluxDB takes such "
            "points, and no query finds them by this name"
        )
    return None
