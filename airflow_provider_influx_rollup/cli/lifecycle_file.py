"""``--lifecycle FILE``: a lifecycle written as YAML or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle, Tier
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_ends import Archive, Validation
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.shown import shown


def specs_of_file(path: str) -> list[RollupSpec]:
    """The rollups of a lifecycle, from the finest to the coarsest.

    :param path: a file with the parameters of ``Lifecycle``; JSON is YAML too
    :raises ConfigurationError: when it cannot be read, or a parameter is missing, unknown or wrong
    """
    where = f"lifecycle file {path!r}"
    values = _named(_load(Path(path)), Lifecycle, where)
    if isinstance(values["tiers"], list):
        tiers = [
            _made(Tier, _named(tier, Tier, f"tier {number} of {where}"), f"tier {number} of {where}")
            for number, tier in enumerate(values["tiers"], start=1)
        ]
        values = values | {"tiers": tiers}
    for name, made in (("validation", Validation), ("archive", Archive)):
        if values.get(name) is not None:
            part = f"{name} of {where}"
            values = values | {name: _made(made, _named(values[name], made, part), part)}
    lifecycle: Lifecycle = _made(Lifecycle, values, where)
    return lifecycle.specs()


def _load(path: Path) -> Any:
    from airflow_provider_influx_rollup.yaml_text import YamlInvalid, load

    try:
        return load(path.read_text())
    except (OSError, ValueError) as error:
        what = f"the lifecycle file {str(path)!r} cannot be read"
        raise ConfigurationError(what, fix="name a file of YAML or JSON") from error
    except YamlInvalid as error:
        what = (
            f"the lifecycle file {str(path)!r} is neither YAML nor JSON (line {error.line}): {error.problem}"
        )
        raise ConfigurationError(what, fix="correct it") from error


def _made(made: type[Any], values: Mapping[str, Any], where: str) -> Any:
    """The object, when each parameter is of its type."""
    hints = get_type_hints(made)
    for name, value in values.items():
        if not _fits(value, hints[name]):
            what = f"{where}: {name} is {shown(value)}"
            raise ConfigurationError(what, fix="write durations and names as text, several of them as a list")
    return made(**values)


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Sequence:
        return isinstance(value, list) and all(_fits(one, inner[0]) for one in value)
    if origin is Mapping:
        pairs = value.items() if isinstance(value, Mapping) else [(None, None)]
        return all(_fits(key, inner[0]) and _fits(one, inner[1]) for key, one in pairs)
    return isinstance(value, hint)


def _named(values: Any, made: type[Any], where: str) -> dict[str, Any]:
    """The parameters of a class, all of them known and none missing."""
    if not isinstance(values, Mapping):
        what = f"{where} holds no parameters"
        raise ConfigurationError(what, fix=f"write {', '.join(_required(made))}, one on each line")
    known = [field.name for field in fields(made)]
    unknown = [str(name) for name in values if name not in known]
    missing = [name for name in _required(made) if name not in values]
    if unknown or missing:
        problems = [f"{', '.join(unknown)} unknown"] * bool(unknown) + [
            f"{', '.join(missing)} missing"
        ] * bool(missing)
        what = f"{where}: {'; '.join(problems)}"
        raise ConfigurationError(what, fix=f"its parameters are {', '.join(known)}")
    return dict(values)


def _required(made: type[Any]) -> list[str]:
    return [one.name for one in fields(made) if one.default is MISSING and one.default_factory is MISSING]
