"""Declared values from YAML text: all parameters known, each of its type, and every error with its line and its key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxRollupError
from airflow_provider_influx_rollup.shown import shown
from airflow_provider_influx_rollup.yaml_text import YamlInvalid, compose, construct, line_of

Made = TypeVar("Made")
Path = tuple[str | int, ...]
MAX_KEY = 60
MERGE_TAG = "tag:yaml.org,2002:merge"


class _Source(NamedTuple):
    """The text that values come from.

    :param name: what messages call it
    :param lines: the line of each key and of each entry of a list, by its path
    """

    name: str
    lines: Mapping[Path, int]

    def refusal(self, path: Path, problem: str, fix: str) -> ConfigurationError:
        what = f"{self.place(path)}{problem}"
        return ConfigurationError(what, written="nothing", fix=fix)

    def place(self, path: Path) -> str:
        """The name, the line and the key: ``telemetry.yaml, line 7, tiers[1].every:``."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        key = f", {path_text(path)}" if path else ""
        return f"{self.name}, line {self.lines.get(known, 1)}{key}: "


def declared_of_text(made: type[Made], text: str, source: str) -> Made:
    """The object that a text declares.

    :param made: a dataclass; its fields are texts, durations, lists, mappings and dataclasses
    :param text: YAML; JSON is YAML too
    :param source: what the text is called in messages, such as the file's name
    :raises ConfigurationError: with ``source``, the line and the key, when a parameter is missing, unknown or of a wrong type
    :raises InfluxRollupError: the error of the class itself, likewise with the place
    """
    lines: dict[Path, int] = {}
    found = _Source(source, lines)
    try:
        root = compose(text)
        if root is not None:
            # constructing resolves merges in the nodes themselves
            _place_keys(root, (), lines, found)
        values = None if root is None else construct(root)
    except YamlInvalid as error:
        what = f"{source}, line {error.line}: this is neither YAML nor JSON: {error.problem}"
        raise ConfigurationError(what, written="nothing", fix="correct it") from error
    return _object(made, values, (), found)


def required_fields(made: type[Any]) -> list[str]:
    """The parameters of a dataclass that have no default."""
    return [one.name for one in fields(made) if _is_required(one)]


def part_of(hint: Any) -> tuple[type[Any] | None, bool]:
    """The dataclass that a type hint is about, and whether it is a list of them."""
    for one in (hint, *get_args(hint)):
        if isinstance(one, type) and is_dataclass(one):
            return one, get_origin(hint) is Sequence
    return None, False


def path_text(path: Path) -> str:
    """``tiers[1].every``, counted from 0 as in Python and JSON."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:MAX_KEY]}" for part in path)
    return text.removeprefix(".")


def _place_keys(node: yaml.Node, path: Path, lines: dict[Path, int], source: _Source) -> None:
    if isinstance(node, yaml.SequenceNode):
        for number, entry in enumerate(node.value):
            lines[*path, number] = line_of(entry)
            _place_keys(entry, (*path, number), lines, source)
    elif isinstance(node, yaml.MappingNode):
        own: set[str] = set()
        for key, value in node.value:
            if key.tag == MERGE_TAG:
                for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    _place_merged(merged, path, lines, source)
                continue
            name = str(key.value)
            if name in own:
                lines[*path, name] = line_of(key)
                raise source.refusal((*path, name), "it is given twice", "give it once")
            own.add(name)
            lines[*path, name] = line_of(key)
            _place_keys(value, (*path, name), lines, source)


def _place_merged(node: yaml.Node, path: Path, lines: dict[Path, int], source: _Source) -> None:
    """Give merged keys the line of the anchor's use."""
    merged: dict[Path, int] = {}
    _place_keys(node, path, merged, source)
    for place, line in merged.items():
        lines.setdefault(place, line)


def _object(made: type[Made], values: Any, path: Path, source: _Source) -> Made:
    given = _named(made, values, path, source)
    hints = get_type_hints(made)
    for name, value in given.items():
        given[name] = _value(hints[name], value, (*path, name), source)
    try:
        return made(**given)
    except InfluxRollupError as error:
        error.what = f"{source.place((*path, *_blamed(made, given)))}{error.what}"
        raise


def _named(made: type[Any], values: Any, path: Path, source: _Source) -> dict[str, Any]:
    """The parameters of a dataclass, all of them known and none missing."""
    required = required_fields(made)
    known = [field.name for field in fields(made)]
    if not isinstance(values, Mapping):
        fix = f"write {', '.join(required or known)}, one on each line"
        raise source.refusal(path, f"{made.__name__} has no parameters here", fix)
    for name in values:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            fix = f"write {near[0]}" if near else f"its parameters are {', '.join(known)}"
            raise source.refusal((*path, str(name)), f"{made.__name__} has no such parameter", fix)
    missing = [name for name in required if name not in values]
    if missing:
        is_or_are = "is" if len(missing) == 1 else "are"
        fix = f"its parameters are {', '.join(known)}"
        raise source.refusal(path, f"{', '.join(missing)} {is_or_are} missing", fix)
    return dict(values)


def _value(hint: Any, value: Any, path: Path, source: _Source) -> Any:
    part, is_several = part_of(hint)
    if part is None or (value is None and _fits(value, hint)):
        if not _fits(value, hint):
            raise source.refusal(path, f"{shown(value)} is not possible", _wanted(hint))
        return value
    if not is_several:
        return _object(part, value, path, source)
    if not isinstance(value, list):
        raise source.refusal(path, f"{shown(value)} is not possible", "write a list, each entry with a dash")
    return [_object(part, one, (*path, number), source) for number, one in enumerate(value)]


def _wanted(hint: Any) -> str:
    choices = [
        name for one in (hint, *get_args(hint)) if get_origin(one) is Literal for name in get_args(one)
    ]
    if choices:
        return f"use one of {', '.join(choices)}"
    return (
        "write true or false"
        if hint is bool
        else "write durations and names as text, several of them as a list"
    )


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin is Literal:
        return value in inner
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Sequence:
        return isinstance(value, list) and all(_fits(one, inner[0]) for one in value)
    if origin is Mapping:
        pairs = value.items() if isinstance(value, Mapping) else [(None, None)]
        return all(_fits(key, inner[0]) and _fits(one, inner[1]) for key, one in pairs)
    return value is None if hint in (None, NoneType) else isinstance(value, hint)


def _blamed(made: type[Any], given: Mapping[str, Any]) -> Path:
    """The first parameter with which the class refuses what it took without it."""
    taken = {name: given[name] for name in required_fields(made)}
    hints = get_type_hints(made)
    for name in list(taken):
        if part_of(hints[name])[1]:
            for count in range(1, len(given[name]) + 1):
                if not _is_taken(made, {**taken, name: given[name][:count]}):
                    return (name, count - 1) if count > 1 else ()
    for name, value in given.items():
        taken[name] = value
        if not _is_taken(made, taken):
            return (name,) if name not in required_fields(made) else ()
    return ()


def _is_taken(made: type[Any], given: Mapping[str, Any]) -> bool:
    try:
        made(**given)
    except InfluxRollupError:
        return False
    return True


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING
