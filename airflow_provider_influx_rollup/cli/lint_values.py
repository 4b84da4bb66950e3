"""The values that ``lint`` and ``tasks`` give to scripts and templates: on the command line, and in files."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError

if TYPE_CHECKING:
    from argparse import _ArgumentGroup

    from airflow_provider_influx_rollup.templates.param import FluxParam

_TYPED = frozenset({"kind", "value", "default"})


def add_params(parser: ArgumentParser) -> _ArgumentGroup:
    """Options for values of ``params``, in a group of their own, which is returned."""
    group = parser.add_argument_group("values of scripts and templates")
    group.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value of params.NAME, as JSON or as text; can be repeated",
    )
    group.add_argument(
        "--params-file",
        metavar="FILE",
        help="values of params as YAML or JSON: NAME: VALUE, or NAME: {kind: float, default: 0.5}",
    )
    return group


def add_values(parser: ArgumentParser) -> None:
    """Options for values."""
    group = add_params(parser)
    group.add_argument("--environments", metavar="FILE", help="values of env, for each environment, as YAML")
    group.add_argument("--environment", metavar="NAME", help="which of the environments")
    group.add_argument(
        "--bare-words",
        action="store_true",
        help="let {{ x }} without a filter put single words, as [influx_rollup] bare_flux_values = words",
    )


def params_of(args: Namespace) -> dict[str, Any] | None:
    """The values of ``params``, with their types; None when there are none.

    :raises ConfigurationError: when one is no pair, the file cannot be read, or a value is not of its type
    """
    from airflow_provider_influx_rollup.templates.param import FluxParam

    values = _of_file(args.params_file) if args.params_file else {}
    for pair in args.param:
        name, sign, text = pair.partition("=")
        if not sign or not name:
            what = "a parameter is not given as NAME=VALUE"
            raise ConfigurationError(what, written="nothing", fix="write --param site=berlin")
        declared = values.get(name)
        values[name] = _typed(declared, text) if isinstance(declared, FluxParam) else _read(text)
    bound = {
        name: value.bound(value.value, name) if isinstance(value, FluxParam) else value
        for name, value in values.items()
    }
    return bound or None


def environment_of(args: Namespace) -> Mapping[str, Any] | None:
    """The values of ``env``; None when there are no environments.

    :raises ConfigurationError: when the file cannot be read, or the environment is not in it
    """
    from airflow_provider_influx_rollup.templates.environments import read_environments, values_of

    if not args.environments:
        if args.environment:
            what = f"the environment {args.environment!r} is chosen, and no file says what it is"
            raise ConfigurationError(what, written="nothing", fix="give --environments")
        return None
    environments = read_environments(_text_of(args.environments), args.environments)
    return values_of(environments, args.environment)


def _read(text: str) -> Any:
    """What is no JSON is a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _typed(declared: FluxParam, text: str) -> FluxParam:
    from airflow_provider_influx_rollup.templates.param import FluxParam

    return FluxParam(declared.kind, text, declared.default)


def _of_file(path: str) -> dict[str, Any]:
    from airflow_provider_influx_rollup.templates.param import FluxParam
    from airflow_provider_influx_rollup.yaml_text import YamlInvalid, compose, construct

    try:
        root = compose(_text_of(path))
        values = {} if root is None else construct(root)
    except YamlInvalid as error:
        what = f"{path}, {error}"
        raise ConfigurationError(what, written="nothing", fix="correct the file") from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        what = f"{path} holds no names with values"
        raise ConfigurationError(what, written="nothing", fix="write site: berlin, one on a line")
    return {
        name: FluxParam(**value)
        if isinstance(value, dict) and "kind" in value and set(value) <= _TYPED
        else value
        for name, value in values.items()
    }


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = f"the file {path!r} cannot be read"
        raise ConfigurationError(what, written="nothing", fix="correct its name") from error
