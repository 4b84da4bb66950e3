"""``--pipeline`` to specs of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from airflow_provider_influx_rollup.cli.connection import Server
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipelines import load_pipelines
from airflow_provider_influx_rollup.lifecycle.spec import RollupSpec


def chosen_pipelines(server: Server, names: Sequence[str] | None) -> list[RollupSpec]:
    """The specs in force of the named pipelines, by name.

    :param names: names or patterns; None takes all
    :raises ConfigurationError: when the ledger has no such pipeline
    """
    known = server.drive(load_pipelines(server.ledger_bucket))
    if not known:
        what = f"bucket {server.ledger_bucket!r} has no pipeline, or the token may not read it"
        raise ConfigurationError(what, fix="run a rollup first, or name the ledger with --ledger-bucket")
    if names is None:
        return [known[name] for name in sorted(known)]
    chosen = dict.fromkeys(found for name in names for found in _matching(name, known))
    return [known[name] for name in chosen]


def _matching(name: str, known: Mapping[str, RollupSpec]) -> list[str]:
    if name in known:
        return [name]
    matching = sorted(found for found in known if fnmatchcase(found, name))
    if not matching:
        what = f"the ledger has no pipeline {name!r}"
        near = get_close_matches(name, known, cutoff=0.3) or sorted(known)[:3]
        raise ConfigurationError(what, fix=f"use one of its pipelines, such as {', '.join(map(repr, near))}")
    return matching
