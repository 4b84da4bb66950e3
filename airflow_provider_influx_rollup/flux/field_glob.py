"""Choose fields by globs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.globs import is_match

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def match_fields(globs: Iterable[str], fields: Sequence[str]) -> list[str]:
    """Return the fields that at least one glob matches, in the order of ``fields``, each once.

    A glob that begins with ``!`` takes its matches away again; the globs are applied from left to right,
    and a list that begins with ``!`` starts from all fields. Upper and lower case differ.

    :param globs: such as ``["temp*", "!temp_raw"]``; ``[ab]``, ``[!ab]``, ``?`` and ``*`` as in a shell
    :param fields: the names to choose from
    :raises ConfigurationError: when a glob is empty
    """
    patterns = list(globs)
    for pattern in patterns:
        if not pattern.removeprefix("!"):
            what = f"{pattern!r} is not a glob of field names"
            raise ConfigurationError(what, fix="use a name, or a glob such as temp_*")
    starts_from_all = bool(patterns) and patterns[0].startswith("!")
    return [name for name in dict.fromkeys(fields) if _is_chosen(name, patterns, starts_from_all)]


def _is_chosen(name: str, patterns: Sequence[str], starts_from_all: bool) -> bool:
    """Whether the last pattern that matches the name chooses it; an exact name always matches itself."""
    chosen = starts_from_all
    for pattern in patterns:
        takes_away = pattern.startswith("!")
        glob = pattern[1:] if takes_away else pattern
        if is_match(glob, name):
            chosen = not takes_away
    return chosen
