"""Cut a Flux script into tokens, with their places, where there is no server to ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Place = dict[str, int]

KEYWORDS = frozenset(
    "and or not import package return option builtin testcase if then else exists".split()  # noqa: SIM905
)

_DURATION = r"(?:\d+(?:mo|ms|us|µs|ns|y|w|d|h|m|s))+"
_TOKEN = re.compile(
    rf"""
    (?P<space>\s+|//[^\n]*)
  | (?P<time>\d{{4}}-\d{{2}}-\d{{2}}(?:T\d{{2}}:\d{{2}}:\d{{2}}(?:\.\d+)?(?:Z|[+-]\d{{2}}:\d{{2}}))?)
  | (?P<duration>{_DURATION})
  | (?P<float>\d+\.\d*|\.\d+)
  | (?P<int>0(?!\d)|[1-9]\d*)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<string>")
  | (?P<regex>/(?!/)(?:\\.|[^/\\\n])+/)
  | (?P<sign>\|>|<-|=>|==|!=|=~|!~|<=|>=|[-+*/%^<>=(){{}}\[\]:,.|?@])
    """,
    re.VERBOSE,
)
_TEXT_PART = re.compile(r'(?:\\(?:[nrt"\\]|\$\{|x[0-9a-fA-F]{2})|(?!\$\{)[^"\\])*')
_ESCAPE = re.compile(r"\\(\$\{|[nrt\"\\])|((?:\\x[0-9a-fA-F]{2})+)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "${": "${"}
# after these a slash divides; anywhere else it begins a regular expression
ENDS_VALUE = frozenset({"name", "string", "int", "float", "duration", "time", "regex", ")", "]", "}"})


class NotFlux(Exception):
    """The text is no Flux, as far as it was read.

    :param what: what was expected, or found
    :param place: where, as the server counts: lines from 1, columns in bytes from 1
    :param is_sure: whether the server would refuse it too; else this reader does not know what is there
    """

    def __init__(self, what: str, place: Place, *, is_sure: bool = True) -> None:
        super().__init__(what)
        self.what, self.place, self.is_sure = what, place, is_sure


@dataclass(frozen=True, slots=True)
class Token:
    """A token.

    :param kind: the name of a group of the pattern, or the sign or keyword itself
    :param value: its text; of a string the parts, which are texts or lists of tokens
    :param start: its first character, as an offset in the script
    :param end: behind its last character
    """

    kind: str
    value: Any
    start: int
    end: int


class Places:
    """Lines and columns of offsets in a script.

    :param text: the script
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def at(self, offset: int) -> Place:
        """The place of a character, as the server counts it."""
        low, high = 0, len(self._starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._starts[middle] <= offset else (low, middle)
        before = self._text[self._starts[low] : offset]
        return {"line": low + 1, "column": len(before.encode()) + 1}


def tokens_of(text: str) -> list[Token]:
    """Cut a script into tokens, the last of which has the kind ``end``.

    :raises NotFlux: at a character that begins no token
    """
    return [*tokens_from(text), Token("end", "", len(text), len(text))]


def tokens_from(text: str) -> Iterator[Token]:
    """Cut a script into tokens, one after the other.

    :raises NotFlux: at a character that begins no token
    """
    return _tokens(text, 0, Places(text), is_inside=False)


def _tokens(text: str, offset: int, places: Places, *, is_inside: bool) -> Iterator[Token]:
    """Yield tokens.

    :param is_inside: whether this is ``${...}`` of a string, which ends at its brace
    """
    depth, last, begin = 0, "", offset
    while offset < len(text):
        found = _TOKEN.match(text, offset)
        if found is None:
            what = f"unexpected character {text[offset]!r}"
            raise NotFlux(what, places.at(offset))
        kind, value = str(found.lastgroup), found[0]
        if kind == "string":
            token = _string(text, offset, places)
        elif kind == "regex" and last in ENDS_VALUE:
            token = Token("/", "/", offset, offset + 1)
        else:
            is_plain = kind == "sign" or (kind == "name" and value in KEYWORDS)
            token = Token(value if is_plain else kind, value, offset, found.end())
        offset = token.end
        depth += {"{": 1, "}": -1}.get(token.kind, 0)
        if token.kind == "space":
            continue
        if is_inside and depth < 0:
            yield Token("end", "", token.start, token.start)
            return
        last = token.kind
        yield token
    if is_inside:
        what = "the ${ of a string is not closed"
        raise NotFlux(what, places.at(begin))


def _string(text: str, start: int, places: Places) -> Token:
    """The string that begins here, with what is inside of its ``${...}``."""
    parts: list[str | tuple[list[Token], int, int]] = []
    offset = start + 1
    while True:
        plain = _TEXT_PART.match(text, offset)
        end = offset if plain is None else plain.end()
        if end > offset:
            parts.append(_unescaped(text[offset:end]))
        if text.startswith("${", end):
            inner = list(_tokens(text, end + 2, places, is_inside=True))
            offset = inner[-1].end + 1
            parts.append((inner, end, offset))
        elif text.startswith('"', end):
            return Token("string", parts, start, end + 1)
        else:
            what = "the string is not closed" if end == len(text) else "unknown escape in a string"
            raise NotFlux(what, places.at(start))


def _unescaped(text: str) -> str:
    r"""The value of a text; a run of ``\xNN`` is bytes of UTF-8."""

    def value(found: re.Match[str]) -> str:
        if found[2]:
            return bytes.fromhex(found[2].replace("\\x", "")).decode(errors="replace")
        return _ESCAPED[found[1]]

    return _ESCAPE.sub(value, text)
