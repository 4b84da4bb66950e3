"""Values that differ between environments, such as dev and prod: one set of names, and values for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.yaml_text import YamlInvalid, compose, construct

Environments = Mapping[str, Mapping[str, Any]]


def read_environments(text: str, name: str) -> Environments:
    """The environments of a YAML file, with or without a key ``environments`` around them.

    :param name: of the file, for messages
    :raises ConfigurationError: with file and line when it is no YAML; when the environments differ in their names
    """
    try:
        root = compose(text)
        values = None if root is None else construct(root)
    except YamlInvalid as error:
        what = f"{name}, {error}"
        raise _refused(what, "correct the file") from error
    if isinstance(values, Mapping) and set(values) == {"environments"}:
        values = values["environments"]
    return checked_environments(values, name)


def checked_environments(values: object, name: str) -> Environments:
    """The environments themselves, when each has the same names.

    :param name: where they are from, for messages
    :raises ConfigurationError: when they are no mappings, or one lacks a name that another one has
    """
    if not isinstance(values, Mapping) or not values:
        what = f"{name} holds no environments"
        raise _refused(what, "write them as {dev: {bucket: ...}, prod: {bucket: ...}}")
    for environment, pairs in values.items():
        if not isinstance(environment, str) or not isinstance(pairs, Mapping):
            what = f"{name}: the environment {environment!r} is not a name with values"
            raise _refused(what, "write it as dev: {bucket: ...}")
    for environment, pairs in values.items():
        for other, other_pairs in values.items():
            lacking = sorted(str(key) for key in other_pairs.keys() - pairs.keys())
            if lacking:
                what = f"{name}: {environment} lacks {', '.join(lacking)}, which {other} has"
                raise _refused(what, "give each environment the same names")
    return values


def values_of(environments: Environments, chosen: str | None) -> Mapping[str, Any]:
    """The values of one environment.

    :param chosen: its name
    :raises ConfigurationError: when none is chosen, or there is none of that name
    """
    names = ", ".join(environments)
    if not chosen:
        fix = f"give environment=, or set [influx_rollup] environment, to one of: {names}"
        what = "there are environments, and none is chosen"
        raise _refused(what, fix)
    if chosen not in environments:
        what = f"there is no environment {chosen!r}"
        raise _refused(what, f"use one of: {names}")
    return environments[chosen]


def _refused(what: str, fix: str) -> ConfigurationError:
    return ConfigurationError(what, written="nothing", fix=fix)
