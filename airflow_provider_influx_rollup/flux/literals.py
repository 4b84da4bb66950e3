"""Flux literals: every value that reaches query text passes one of these typed encoders."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NewType

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.windows.duration import Duration, months_and_ns
from airflow_provider_influx_rollup.windows.rfc3339 import INT64_MAX, INT64_MIN, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RawFlux = NewType("RawFlux", str)
"""Flux text that is used as it is; search for this name to find every place that does so."""

# control characters as "\xHH", since a raw NUL ends the parse
_STRING_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}
_STRING_ESCAPES |= str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
# "${" begins an interpolation, and the parser does not take "\$" for a plain dollar everywhere: not in "$\${"
_STRING_ESCAPES[ord("$")] = "\\x24"
_REGEX_META = frozenset("\\.+*?()|[]{}^$")
_REGEX_CONTROLS = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_HEX_ESCAPE = re.compile(r"x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})")


def require_encodable(text: str) -> str:
    """Return the text itself, when UTF-8 can carry it.

    :raises ConfigurationError: when it holds a lone surrogate
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        what = f"the text {text!a} holds a character that UTF-8 cannot carry"
        raise ConfigurationError(what, fix="remove the lone surrogate") from error
    return text


def string(text: str) -> RawFlux:
    r"""Return a Flux string literal.

    ``$`` is escaped too, since ``${`` starts an interpolation. A carriage return reaches Flux unharmed; the
    server's CSV answers drop it, see ``flux/whole_texts.py``.

    :raises ConfigurationError: when UTF-8 cannot carry the text
    """
    require_encodable(text)
    return RawFlux('"' + text.translate(_STRING_ESCAPES) + '"')


def integer(number: int) -> RawFlux:
    """Return a Flux int literal (64 bits, signed).

    :raises ConfigurationError: when the number does not fit, or is a bool
    """
    require_int64(number)
    # the parser reads the digits before the minus sign, so the smallest int64 has no literal of its own
    return RawFlux(f"({INT64_MIN + 1} - 1)" if number == INT64_MIN else str(number))


def require_int64(number: int) -> int:
    """Return the number itself, when it is an int of at most 64 bits.

    :raises ConfigurationError: when it does not fit, or is a bool
    """
    if isinstance(number, bool) or not isinstance(number, int):
        what = f"{number!r} is not an int"
        raise ConfigurationError(what, fix="pass an int")
    if not INT64_MIN <= number <= INT64_MAX:
        what = f"{number} does not fit into a 64 bit Flux int"
        raise ConfigurationError(what, fix=f"use a number from {INT64_MIN} to {INT64_MAX}, or a float")
    return number


def float_(number: float) -> RawFlux:
    """Return a Flux float literal that is read back to the same 64 bits.

    :raises ConfigurationError: for NaN and infinities, which Flux has no literal for
    """
    # Flux knows no exponents, and "1" would be an int
    digits = format(Decimal(repr(require_finite(number))), "f")
    return RawFlux(digits if "." in digits else digits + ".0")


def require_finite(number: float) -> float:
    """Return the number as a float, when it is neither NaN nor infinite.

    :raises ConfigurationError: for NaN and infinities
    """
    if not math.isfinite(number):
        what = f"{number!r} has no Flux literal"
        raise ConfigurationError(what, fix="use a finite number")
    return float(number)


def boolean(flag: bool) -> RawFlux:
    """Return ``true`` or ``false``."""
    return RawFlux("true" if flag else "false")


def time(instant: datetime | int) -> RawFlux:
    """Return a Flux time literal, in UTC.

    :param instant: an aware datetime of any zone, or nanoseconds since the epoch
    :raises ConfigurationError: when it is naive, or outside 1677-09-21 .. 2262-04-11, where Flux wraps around silently
    """
    return RawFlux(rfc3339(instant))


def duration(span: Duration | timedelta) -> RawFlux:
    """Return a Flux duration literal.

    :param span: a :class:`Duration`, or a timedelta, which may be negative
    :raises ConfigurationError: as ``signed_parts``
    """
    if isinstance(span, Duration):
        return RawFlux(span.to_flux())
    months, nanoseconds = signed_parts(span)
    sign = "-" if months < 0 or nanoseconds < 0 else ""
    return RawFlux(sign + (f"{abs(months)}mo" if months else f"{abs(nanoseconds) // 1000}us"))


def signed_parts(span: timedelta) -> tuple[int, int]:
    """Months and nanoseconds of a timedelta, exactly; one of them is 0, and only pendulum's durations have months.

    :raises ConfigurationError: when it has both, or does not fit into 64 bits of nanoseconds
    """
    months, nanoseconds = months_and_ns(span)
    if abs(nanoseconds) > INT64_MAX:
        what = f"the duration {span} is too long for Flux"
        raise ConfigurationError(what, fix="stay below 292 years")
    if months and nanoseconds:
        what = f"the duration {span} mixes months with units of fixed length"
        raise ConfigurationError(what, fix="give months only, or fixed units only")
    return months, nanoseconds


def regex(pattern: str) -> RawFlux:
    r"""Return a Flux regular expression literal.

    :param pattern: in Go's RE2 syntax, as written outside of a literal: ``/`` needs no backslash
    :raises ConfigurationError: when it ends in a single backslash, or UTF-8 cannot carry it
    """
    text = _escape_regex_text(normalise_pattern(pattern))
    # the parser takes a slash after any backslash for a part of the pattern, after an escaped one too
    return RawFlux("/" + (text if text and not text.endswith("\\") else f"{text}(?:)") + "/")


def normalise_pattern(pattern: str) -> str:
    r"""Return the pattern with ``\xHH`` and ``\x{HHHH}`` replaced by the quoted character.

    Flux replaces ``\x2e`` by a dot BEFORE it compiles the pattern, so it would match any character.

    :raises ConfigurationError: when it ends in a single backslash, or UTF-8 cannot carry it
    """
    require_encodable(pattern)
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        if pattern[position] != "\\":
            parts.append(pattern[position])
            position += 1
            continue
        if position + 1 == len(pattern):
            what = f"the pattern {pattern!r} ends in a single backslash"
            raise ConfigurationError(what, fix="double the backslash")
        hexadecimal = _HEX_ESCAPE.match(pattern, position + 1)
        if hexadecimal:
            parts.append(quote_pattern(chr(int(hexadecimal[1] or hexadecimal[2], 16))))
            position = hexadecimal.end()
        else:
            parts.append(pattern[position : position + 2])
            position += 2
    return "".join(parts)


def quote_pattern(text: str) -> str:
    """Return a pattern that matches exactly this text."""
    return "".join("\\" + character if character in _REGEX_META else character for character in text)


def glob_pattern(glob: str) -> str:
    """Return an anchored pattern of a glob: ``*`` any text, ``?`` one character, ``[ab]`` and ``[!ab]`` choices.

    A bracket that is never closed stands for itself.
    """
    parts: list[str] = []
    position = 0
    while position < len(glob):
        character = glob[position]
        position += 1
        close = glob.find("]", position + 1 + glob.startswith("!", position)) if character == "[" else -1
        if close != -1:
            parts.append(_choice(glob[position:close]))
            position = close + 1
        else:
            parts.append({"*": ".*", "?": "."}.get(character) or quote_pattern(character))
    return "^(?s:" + "".join(parts) + ")$"


def array(elements: Iterable[RawFlux]) -> RawFlux:
    """Return a Flux array of literals, which must all be of one type."""
    return RawFlux("[" + ", ".join(elements) + "]")


def strings(texts: Iterable[str]) -> RawFlux:
    """Return a Flux array of strings, such as a list of columns."""
    return array(string(text) for text in texts)


def record(properties: Mapping[str, RawFlux]) -> RawFlux:
    """Return a Flux record of literals; any text can be a key."""
    return RawFlux("{" + ", ".join(f"{string(key)}: {text}" for key, text in properties.items()) + "}")


def _escape_regex_text(pattern: str) -> str:
    """Return the text between the slashes: bare slashes and control characters escaped, pairs kept as they are."""
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        width = 2 if character == "\\" else 1
        piece = pattern[position : position + width]
        if piece == "/":
            piece = "\\/"
        elif width == 1 and ord(character) < 0x20:
            piece = _REGEX_CONTROLS.get(character, f"\\x{ord(character):02x}")
        parts.append(piece)
        position += width
    return "".join(parts)


def _choice(inside: str) -> str:
    """Return a character class of a glob's ``[...]``, quoted but for its ranges."""
    negated = inside.startswith("!")
    body = "".join("\\" + c if c in "\\[]^&~" else c for c in (inside[1:] if negated else inside))
    return f"[{'^' if negated else ''}{body}]"
