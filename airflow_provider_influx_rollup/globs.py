"""Names that stand for several: ``temp_*``, ``[ab]?``, as in a shell; upper and lower case differ."""

from __future__ import annotations

from fnmatch import fnmatchcase

_CHARACTERS = frozenset("*?[")


def is_glob(text: str) -> bool:
    """Whether a text holds ``*``, ``?`` or ``[`` and so may stand for several names."""
    return not _CHARACTERS.isdisjoint(text)


def is_match(glob: str, name: str) -> bool:
    """Whether a glob stands for a name; every text stands for itself, brackets and all."""
    return glob == name or fnmatchcase(name, glob)
