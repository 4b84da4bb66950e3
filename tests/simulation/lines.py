"""Line protocol, read as InfluxDB reads it: for what the package writes, and with no code of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

Value = float | int | str | bool
Tags = tuple[tuple[str, str], ...]

HEAD = re.compile(r"((?:\\.|[^\\ ])*) ", re.DOTALL)
FIELD = re.compile(r'((?:\\.|[^\\=])*=(?:"(?:\\.|[^"\\])*"|[^," ]*))([, ])', re.DOTALL)
NAME = re.compile(r"((?:\\.|[^\\=])*)=", re.DOTALL)
TIME = re.compile(r"(-?\d+)\n?")
ESCAPED_NAME = re.compile(r"\\([,= ])")
ESCAPED_TEXT = re.compile(r'\\(["\\])')


class Unsigned(int):
    """An unsigned integer."""


@dataclass(frozen=True, slots=True)
class Line:
    """One point.

    :param tags: sorted by key
    """

    measurement: str
    tags: Tags
    fields: tuple[tuple[str, Value], ...]
    time_ns: int


def parse_lines(lines: Iterable[str]) -> Iterator[Line]:
    """Each point of some texts."""
    for text in lines:
        yield from _parsed(text)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[Line, ...]:
    """Who watches a write reads what it writes, too."""
    found, position = [], 0
    while position < len(text):
        line, position = _parse(text, position)
        found.append(line)
    return tuple(found)


def _parse(text: str, position: int) -> tuple[Line, int]:
    head = HEAD.match(text, position)
    if head is None:
        message = f"no line protocol: {text[position : position + 200]!r}"
        raise ValueError(message)
    position = head.end()
    fields = []
    while True:
        found = FIELD.match(text, position)
        if found is None:
            message = f"no field: {text[position : position + 200]!r}"
            raise ValueError(message)
        text_of_field, end = found.groups()
        fields.append(_field(text_of_field))
        position = found.end()
        if end == " ":
            break
    time = TIME.match(text, position)
    if time is None:
        message = f"no time: {text[position : position + 200]!r}"
        raise ValueError(message)
    measurement, tags = _series(head.group(1))
    return Line(measurement, tags, tuple(fields), int(time.group(1))), time.end()


@lru_cache(maxsize=4096)
def _series(head: str) -> tuple[str, Tags]:
    measurement, *tags = re.split(r"(?<!\\),", head)
    pairs = [tuple(map(_name, re.split(r"(?<!\\)=", tag, maxsplit=1))) for tag in tags]
    return _name(measurement), tuple(sorted((pair[0], pair[1]) for pair in pairs if pair[1]))


@lru_cache(maxsize=16384)
def _field(text: str) -> tuple[str, Value]:
    found = NAME.match(text)
    assert found is not None, text
    return _name(found.group(1)), _value(text[found.end() :])


@lru_cache(maxsize=4096)
def _name(text: str) -> str:
    return ESCAPED_NAME.sub(r"\1", text) if "\\" in text else text


def _value(text: str) -> Value:
    if text[0] == '"':
        return ESCAPED_TEXT.sub(r"\1", text[1:-1]) if "\\" in text else text[1:-1]
    if text in ("true", "t", "T", "TRUE", "True"):
        return True
    if text in ("false", "f", "F", "FALSE", "False"):
        return False
    if text[-1] == "i":
        return int(text[:-1])
    if text[-1] == "u":
        return Unsigned(text[:-1])
    return float(text)
