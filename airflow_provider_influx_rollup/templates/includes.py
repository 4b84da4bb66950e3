"""Check the includes of a template before it is rendered: they exist, and none includes itself."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import TemplateNotFound, TemplateSyntaxError, nodes

from airflow_provider_influx_rollup.exceptions import TemplateInvalid
from airflow_provider_influx_rollup.flux.places import invalid_at
from airflow_provider_influx_rollup.templates.environment import FluxEnvironment
from airflow_provider_influx_rollup.templates.outputs import mark_outputs

_REFERENCES = (nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)
_Reference = nodes.Extends | nodes.FromImport | nodes.Import | nodes.Include


def checked_sources(environment: FluxEnvironment, source: str, name: str) -> dict[str, str]:
    """Check a template and all that it includes by name, and return their texts by name.

    What is included by a computed name is checked in the run.

    :param source: the text of the template
    :param name: what it is called, as in messages
    :raises TemplateInvalid: with file and line, for wrong syntax, an output without a filter, an include that is not there,
        or a template that includes itself
    """
    found: dict[str, str] = {}
    _check(environment, source, (name,), found)
    return found


def _check(environment: FluxEnvironment, source: str, path: tuple[str, ...], found: dict[str, str]) -> None:
    name = path[-1]
    found[name] = source
    try:
        template = environment.parse(source, name)
    except TemplateSyntaxError as error:
        raise syntax_error(error, name) from error
    references = list(_references(template))
    mark_outputs(template, name, takes_words=environment.takes_words)
    for written, line, may_be_missing in references:
        wanted = environment.join_path(written, name)
        if wanted in path:
            cycle = " -> ".join([*path[path.index(wanted) :], wanted])
            problem = f"the template includes itself: {cycle}"
            raise invalid_at(name, line, problem, "take one of these includes out")
        if wanted in found:
            continue
        text = _source_of(environment, wanted)
        if text is not None:
            _check(environment, text, (*path, wanted), found)
        elif not may_be_missing:
            fix = 'give a path below the DAG\'s folder or its template_searchpath, or "./" and a path next to this template'
            raise invalid_at(name, line, f"there is no template {wanted!r}", fix)


def _source_of(environment: FluxEnvironment, name: str) -> str | None:
    """The text of a template; None when there is none."""
    if environment.loader is None:
        return None
    try:
        return environment.loader.get_source(environment, name)[0]
    except TemplateNotFound:
        return None


def _references(template: nodes.Template) -> Iterator[tuple[str, int, bool]]:
    """Names of templates that are written out, with the line, and whether each may be missing."""
    found: Iterator[_Reference] = template.find_all(_REFERENCES)
    for node in found:
        wanted: nodes.Expr = node.template
        several = isinstance(wanted, nodes.List | nodes.Tuple)
        may_be_missing = several or bool(getattr(node, "ignore_missing", False))
        for one in wanted.items if isinstance(wanted, nodes.List | nodes.Tuple) else [wanted]:
            if isinstance(one, nodes.Const) and isinstance(one.value, str):
                yield one.value, node.lineno, may_be_missing


def syntax_error(error: TemplateSyntaxError, name: str) -> TemplateInvalid:
    """The error of a template that Jinja cannot read."""
    return invalid_at(error.name or name, error.lineno, str(error.message), "correct the template")
