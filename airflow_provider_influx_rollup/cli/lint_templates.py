"""Scripts that are templates: rendered as a run would, with the values of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.script_templates import GIVEN_BY, rendered_script, values_of_call
from airflow_provider_influx_rollup.exceptions import TemplateInvalid
from airflow_provider_influx_rollup.windows.duration import Duration

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.lint_files import ScriptFile
    from airflow_provider_influx_rollup.lint.report import LintReport

Look = Callable[[str], "LintReport"]

_MARKS = re.compile(r"\{[{%#]")
# a time that no script names itself: where it stands, the script reads its window
_START = datetime(2097, 5, 3, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateValues:
    """What templates may read.

    :param params: values of ``params``
    :param env: values of the chosen environment; None when there are no environments
    :param every: length of the windows
    :param takes_words: whether an output without a filter may put a single word
    """

    params: Mapping[str, Any] | None
    env: Mapping[str, Any] | None
    every: Duration | None
    takes_words: bool

    @property
    def stop(self) -> datetime:
        """The end of the window that templates are rendered for."""
        every = self.every
        return _START + (timedelta(hours=1) if every is None or every.months else every.timedelta)

    def context(self) -> dict[str, Any]:
        """The names of a run that need no Airflow."""
        from airflow_provider_influx_rollup.windows.interval import format_instant

        return {
            **values_of_call(self.params, self.env),
            "data_interval_start": _START,
            "data_interval_end": self.stop,
            "logical_date": _START,
            "ds": _START.date().isoformat(),
            "ts": format_instant(_START),
        }


def lint_template(script: ScriptFile, values: TemplateValues, look: Look) -> LintReport:
    """Look at a script, or at what it becomes when it is a template.

    :param look: looks at Flux
    """
    from airflow_provider_influx_rollup.lint.rendered import in_template
    from airflow_provider_influx_rollup.lint.report import LintReport

    if not _MARKS.search(script.text):
        return look(script.text)
    try:
        flux = _rendered(script, values)
    except TemplateInvalid as error:
        return _not_rendered(script, error)
    if not flux.strip() and script.text.strip():
        unchecked = "the template puts out no Flux: what it holds is for templates that import it"
        return LintReport.of(script.text, [], [unchecked])
    return in_template(look(flux), script.text, flux)


def _rendered(script: ScriptFile, values: TemplateValues) -> str:
    """The Flux of a template; the times of its window are read from ``v``, as they differ in each run."""
    from airflow_provider_influx_rollup.lint.rendered import with_window

    flux = rendered_script(script, values.context(), takes_words=values.takes_words)
    return with_window(flux, _START, values.stop)


def _not_rendered(script: ScriptFile, error: TemplateInvalid) -> LintReport:
    """The finding of a template that could not be looked at."""
    from airflow_provider_influx_rollup.lint.report import LintReport
    from airflow_provider_influx_rollup.lint.rules import NOT_RENDERED

    file, line = error.place or (script.name, 1)
    is_own = file == script.name
    message = error.problem if is_own and error.problem else error.what
    fix = f"{error.fix or 'correct the template'}; {GIVEN_BY}"
    finding = NOT_RENDERED.found_at(
        (line if is_own else 1, 1), f"the template cannot be rendered: {message}", fix
    )
    return LintReport.of(script.text, [finding], ["the Flux that the template becomes, which is not known"])
