"""Place of a value in a script: in code, a text, a regular expression or a comment.

A template leaves a mark for each value. The marks are looked up in the whole script, when it is known what is
around them, and only then replaced: a literal inside of quotes would end them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from airflow_provider_influx_rollup.exceptions import TemplateInvalid

Kind = Literal["literal", "name", "word"]

_WORD = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(r"\d\w*")
# an expression is complete before none of these
_BEFORE_VALUES = frozenset(["and", "or", "not", "in", "return", "if", "then", "else", "exists", "with"])
# what a word may be where code is expected: a name, a number, a duration, a date or a time
_CODE_WORD = re.compile(
    r"[^\W\d]\w*|-?\d+(\.\d+)?|-?(\d+(ns|us|ms|s|m|h|d|w|mo|y))+"
    r"|\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d))?"
)
_TEXT_WORD = re.compile(r"[\w .:+-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A value that a template puts into a script.

    :param text: what is put there
    :param kind: ``"literal"``; ``"name"``, an identifier; ``"word"``, a text of a template without filters
    :param shown: the expression in the template
    :param place: its file and line, such as ``"flux/mean.flux, line 3"``
    """

    text: str
    kind: Kind
    shown: str
    place: tuple[str, int]

    def refused(self, problem: str, fix: str) -> TemplateInvalid:
        """Return the error that says why it cannot stand there."""
        return invalid_at(*self.place, f"the value of {{{{ {self.shown} }}}} {problem}", fix)


def invalid_at(file: str, line: int, problem: str, fix: str) -> TemplateInvalid:
    """Return the error of a template with its place."""
    error = TemplateInvalid(f"{file}, line {line}: {problem}", written="nothing", fix=fix)
    error.place, error.problem = (file, line), problem
    return error


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Goes through a script once; ``after_operand`` says whether what came before is a whole expression."""

    text: str
    placed: Sequence[Placed]
    marks: re.Pattern[str]
    position: int = 0
    after_operand: bool = False
    last: str = ""
    # one number for each open string: how many braces are open in its interpolation
    braces: list[int] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def take(self, length: int) -> str:
        piece = self.text[self.position : self.position + length]
        self.done.append(piece)
        self.position += len(piece)
        return piece

    def mark(self) -> Placed | None:
        """Return the value whose mark is next, and go past it."""
        found = self.marks.match(self.text, self.position)
        if found is None:
            return None
        self.position = found.end()
        return self.placed[int(found[1])]

    def take_escaped(self) -> None:
        """Take a backslash and what it escapes, unless that is a value."""
        self.take(2 if self.marks.match(self.text, self.position + 1) is None else 1)

    def next_is(self, beginning: str) -> bool:
        return self.text.startswith(beginning, self.position)


def mark(nonce: str, number: int) -> str:
    """Return what stands for a value until the whole script is there.

    :param nonce: of this rendering, so that no value can hold a mark
    :param number: of the value
    """
    return f"\ue000{nonce}.{number}\ue001"


def fill(text: str, placed: Sequence[Placed], nonce: str) -> str:
    """Return the script with its marks replaced.

    :param text: Flux with marks
    :param nonce: of the marks
    :param placed: the values, by the numbers in the marks
    :raises TemplateInvalid: naming file and line, when a value would stand where it can change the script
    """
    reader = _Reader(text=text, placed=placed, marks=re.compile(f"\ue000{nonce}\\.([0-9]+)\ue001"))
    while reader.position < len(text):
        _code(reader)
    return "".join(reader.done)


def _code(reader: _Reader) -> None:
    """Read one token of code."""
    value = reader.mark()
    if value is not None:
        _put_in_code(reader, value)
    elif reader.next_is("//"):
        _comment(reader)
    elif reader.next_is('"'):
        reader.take(1)
        _string(reader)
    elif reader.next_is("/") and not reader.after_operand:
        _regex(reader)
    else:
        _token(reader)


def _token(reader: _Reader) -> None:
    found = _WORD.match(reader.text, reader.position) or _NUMBER.match(reader.text, reader.position)
    if found:
        reader.last = reader.take(len(found[0]))
        reader.after_operand = reader.last not in _BEFORE_VALUES
        return
    character = reader.take(1)
    if character.isspace():
        return
    reader.last, reader.after_operand = character, character in ")]}"
    if reader.braces and character in "{}":
        reader.braces[-1] += 1 if character == "{" else -1
        if reader.braces[-1] == 0:
            reader.braces.pop()
            _string(reader)


def _string(reader: _Reader) -> None:
    """Read a text to its end, or to the beginning of an interpolation."""
    while reader.position < len(reader.text):
        value = reader.mark()
        if value is not None:
            _put_inside(
                reader, value, "a text in quotes", 'write "..." + {{ x | flux }}, or remove the quotes'
            )
        elif reader.next_is("${"):
            reader.take(2)
            reader.braces.append(1)
            reader.after_operand = False
            return
        elif reader.next_is("\\"):
            reader.take_escaped()
        elif reader.take(1) == '"':
            break
    reader.after_operand = True


def _regex(reader: _Reader) -> None:
    reader.take(1)
    while reader.position < len(reader.text):
        value = reader.mark()
        if value is not None:
            _put_inside(
                reader, value, "a regular expression", "write {{ x | flux_regex }} without the slashes"
            )
        elif reader.next_is("\\"):
            reader.take_escaped()
        elif reader.take(1) in "/\n":
            break
    reader.after_operand = True


def _comment(reader: _Reader) -> None:
    while reader.position < len(reader.text) and not reader.next_is("\n"):
        value = reader.mark()
        if value is None:
            reader.take(1)
        else:
            # no literal and no name has a line break
            reader.done.append(value.text)


def _put_inside(reader: _Reader, value: Placed, inside: str, fix: str) -> None:
    if value.kind != "word":
        problem = f"would stand inside of {inside}, and could end it"
        raise value.refused(problem, fix)
    if not _TEXT_WORD.fullmatch(value.text):
        problem = "holds more than letters, digits, spaces and _ . : + -"
        raise value.refused(problem, "write {{ x | flux }}")
    reader.done.append(value.text)


def _put_in_code(reader: _Reader, value: Placed) -> None:
    if value.kind == "word":
        if not _CODE_WORD.fullmatch(value.text):
            fix = "write {{ x | flux }}, or {{ x | flux_raw }} for Flux that you trust"
            problem = "is not one name, number, duration or time"
            raise value.refused(problem, fix)
        reader.done.append(value.text)
        reader.after_operand = True
        return
    _require_value_place(reader, value)
    # 2025-01-01 is one token, 2025 -01-01 is not
    is_after_sign = bool(reader.done) and reader.done[-1] in ("-", "+")
    is_before_sign = reader.next_is("-") or reader.next_is("+")
    reader.done.append(" " * is_after_sign + value.text + " " * is_before_sign)
    reader.after_operand = True


def _require_value_place(reader: _Reader, value: Placed) -> None:
    """Check that an expression begins here, and ends with the value."""
    if reader.after_operand or (reader.last == "." and value.kind != "name"):
        problem = "follows another value, and would become a part of it"
        raise value.refused(problem, "put an operator between")
    before = reader.done[-1][-1:] if reader.done else ""
    after = reader.text[reader.position : reader.position + 1]
    glued = [one for one in (before, after) if one.isalnum() or one == "_"]
    glued += [one for one in (after,) if one in ('"', ".")]
    if glued:
        fix = "make the whole value in the template: {{ macros.timedelta(hours=3) | flux }} is 3h"
        problem = f"is glued to {glued[0]!r}, and would become a part of it"
        raise value.refused(problem, fix)


__all__ = ["Placed", "fill", "mark"]
