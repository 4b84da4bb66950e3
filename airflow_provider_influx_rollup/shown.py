"""Values in messages: short, whatever they hold."""

from __future__ import annotations

from collections.abc import Sequence
from reprlib import Repr


class _Repr(Repr):
    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:
            return f"<an integer of {x.bit_length()} bits>"


_REPR = _Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 120
_REPR.maxlevel = 4


def shown(value: object) -> str:
    """The repr of a value, with the middle of long texts and the rest of long lists left out."""
    return _REPR.repr(value)


def few(texts: Sequence[str], most: int, *, between: str = "; ", in_all: int | None = None) -> str:
    """The first of some texts as one text, and how many more there are.

    :param most: how many are named
    :param in_all: how many there are, when these are not all of them
    """
    more = (len(texts) if in_all is None else in_all) - most
    return between.join(texts[:most]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """``1 window``, ``2 windows``.

    :param noun: in the singular; the plural has an s more
    """
    return f"{number} {noun}" + ("" if number == 1 else "s")
