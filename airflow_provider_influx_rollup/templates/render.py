"""A script from a template: rendered, filled, and hashed together with what it includes."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Mapping

from jinja2 import Environment, Template, TemplateNotFound, TemplateSyntaxError

from airflow_provider_influx_rollup.exceptions import InfluxRollupError, TemplateInvalid
from airflow_provider_influx_rollup.flux.places import invalid_at
from airflow_provider_influx_rollup.templates.environment import FluxEnvironment
from airflow_provider_influx_rollup.templates.includes import checked_sources, syntax_error

Render = Callable[[Template], str]


class FluxSource(str):
    """Flux that is a template, and what it is called.

    :param name: of the file, or a description such as ``"flux of the task 'mean'"``
    """

    __slots__ = ("name",)
    name: str

    def __new__(cls, text: str, name: str) -> FluxSource:
        """Keep the name with the text."""
        made = super().__new__(cls, text)
        made.name = name
        return made

    def __reduce__(self) -> tuple[type[FluxSource], tuple[str, str]]:
        """Copies keep the name."""
        return FluxSource, (str(self), self.name)


def check(source: FluxSource, base: Environment, *, takes_words: bool = False) -> dict[str, str]:
    """Check a template without values, as far as that is possible.

    :param base: the DAG's environment
    :param takes_words: whether an output without a filter may put a single word
    :return: the texts of the template and of all that it includes by name
    :raises TemplateInvalid: with file and line
    """
    environment = FluxEnvironment(base, takes_words=takes_words)
    return checked_sources(environment, str(source), source.name)


def template_hash(sources: Mapping[str, str]) -> str:
    """Hash of a template with all that it includes, whatever is filled in.

    :param sources: texts by name
    """
    parts = (part for name in sorted(sources) for part in (name, sources[name]))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def render(source: FluxSource, base: Environment, act: Render, *, takes_words: bool = False) -> str:
    """Render a template.

    :param base: the DAG's environment
    :param act: renders a template of Jinja with the values of the run
    :param takes_words: whether an output without a filter may put a single word
    :raises TemplateInvalid: with file and line
    """
    environment = FluxEnvironment(base, takes_words=takes_words)
    checked_sources(environment, str(source), source.name)
    code = environment.compile(str(source), source.name, source.name)
    template = environment.template_class.from_code(
        environment, code, environment.make_globals(None), lambda: True
    )
    try:
        return environment.filled(_acted(act, template, environment))
    except TemplateInvalid:
        raise
    except TemplateSyntaxError as error:
        raise syntax_error(error, source.name) from error
    except Exception as error:  # expressions of users raise anything
        raise _failed(error, environment, source.name) from error


def _acted(act: Render, template: Template, environment: FluxEnvironment) -> str:
    """Render, with errors whose tracebacks have the template's lines: Airflow takes the text apart after Jinja is done."""
    try:
        return act(template)
    except Exception:  # noqa: BLE001 - raised again by Jinja
        environment.handle_exception()


def _failed(error: Exception, environment: FluxEnvironment, name: str) -> TemplateInvalid:
    """The error of an expression in a template, with its file and line."""
    places = [
        (environment.names[frame.filename], frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename in environment.names
    ]
    problem, fix = _told(error)
    file, line = places[-1] if places else (name, None)
    if line is None:
        return TemplateInvalid(f"{file}: {problem}", written="nothing", fix=fix)
    return invalid_at(file, line, problem, fix)


def _told(error: Exception) -> tuple[str, str]:
    """What is wrong, and what to do."""
    if isinstance(error, RecursionError):
        return "the template includes itself without end", "take an include out"
    if isinstance(error, InfluxRollupError):
        return error.what, error.fix or _CORRECT
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name!r}", _PATHS
    return f"{type(error).__name__}: {error}", _CORRECT


_CORRECT = "correct the template, or the values that it is given"
_PATHS = "give a path below the DAG's folder or its template_searchpath"


__all__ = ["FluxSource", "check", "render", "template_hash"]
