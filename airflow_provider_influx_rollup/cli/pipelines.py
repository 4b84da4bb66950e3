"""``--pipeline`` to specs of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from airflow_provider_influx_rollup.cli.connection import Server
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import (
    known_name,
    load_stored,
    rollups_in_force,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.shown import few

MAX_NAMED = 5


def chosen_pipelines(server: Server, names: Sequence[str] | None) -> list[RollupSpec]:
    """The specs in force of the named pipelines, by name.

    :param names: names or patterns; None takes all
    :raises ConfigurationError: when the ledger has no such pipeline, or it is a script
    """
    stored = server.drive(load_stored(server.ledger_bucket))
    known = rollups_in_force(stored)
    scripts = sorted({one.pipeline for one in stored} - known.keys())
    if not stored:
        what = f"bucket {server.ledger_bucket!r} has no pipeline, or the token may not read it"
        raise ConfigurationError(what, fix="run a rollup first, or name the ledger with --ledger-bucket")
    if names is None:
        if not known:
            whose = f"all pipelines of bucket {server.ledger_bucket!r} are"
            raise _only_scripts(whose, scripts)
        return [known[name] for name in sorted(known)]
    chosen = dict.fromkeys(
        found for name in names for found in _matching(known_name(name, stored), known, scripts)
    )
    return [known[name] for name in chosen]


def _matching(name: str, known: Mapping[str, RollupSpec], scripts: Sequence[str]) -> list[str]:
    if name in known:
        return [name]
    matching = sorted(found for found in known if fnmatchcase(found, name))
    if matching:
        return matching
    asked = [script for script in scripts if script == name or fnmatchcase(script, name)]
    if asked:
        whose = f"what {name!r} names is"
        raise _only_scripts(whose, asked)
    what = f"the ledger has no pipeline {name!r}"
    near = get_close_matches(name, known, cutoff=0.3) or sorted(known)[:3] or scripts[:3]
    raise ConfigurationError(what, fix=f"use one of its pipelines, such as {', '.join(map(repr, near))}")


def _only_scripts(whose: str, scripts: Sequence[str]) -> ConfigurationError:
    named = few([repr(script) for script in scripts], MAX_NAMED, between=", ")
    what = f"{whose} scripts of their own, which their DAG alone can run: {named}"
    return ConfigurationError(
        what, fix="read their receipts with the queries of the guide for people on call"
    )
