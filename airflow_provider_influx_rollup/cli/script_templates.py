"""Scripts that are templates: rendered without Airflow, with the values of the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

    from airflow_provider_influx_rollup.cli.lint_files import ScriptFile

#: what is said of a value that a template does not find
GIVEN_BY = "its values are those of --param, --params-file and --environments"


def values_of_call(params: Mapping[str, Any] | None, env: Mapping[str, Any] | None) -> dict[str, Any]:
    """The names that templates may read, without those of a run.

    :param env: values of the chosen environment; None when there are no environments
    """
    macros = SimpleNamespace(datetime=datetime, timedelta=timedelta, json=json)
    found: dict[str, Any] = {"params": {} if params is None else params, "macros": macros}
    return found if env is None else {**found, "env": env}


def rendered_script(script: ScriptFile, context: Mapping[str, Any], *, takes_words: bool) -> str:
    """The Flux of a script, as a task of Airflow would render it.

    :param context: what templates may read
    :param takes_words: whether an output without a filter may put a single word
    :raises TemplateInvalid: with file and line
    """
    from airflow_provider_influx_rollup.templates.render import FluxSource, render

    return render(
        FluxSource(script.text, script.name),
        _environment(script.name),
        lambda template: template.render(context),
        takes_words=takes_words,
    )


def _environment(name: str) -> Environment:
    """Jinja that finds templates below the working directory, and below each folder above the script."""
    from jinja2 import Environment, FunctionLoader

    from airflow_provider_influx_rollup.cli.lint_files import read_script

    folders = [Path(), *Path(name).parents]

    def load(wanted: str) -> str | None:
        paths = [folder / wanted for folder in folders]
        return next((read_script(path) for path in paths if path.is_file()), None)

    made = Environment(loader=FunctionLoader(load), extensions=["jinja2.ext.do"])  # noqa: S701 - no HTML
    made.filters.update(ds=lambda time: time.strftime("%Y-%m-%d"), ts=lambda time: time.isoformat())
    return made
