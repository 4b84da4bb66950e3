"""Lint Flux scripts before anything runs them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.declared_values import declared_duration
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators._flux_template import SCRIPT_FIELDS, FluxTemplateOperator
from airflow_provider_influx_rollup.operators._window import WindowStageOperator
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from jinja2 import Environment

    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.lifecycle.lint.lint import LintSpec

FAIL_ON = ("error", "warning", "note", "never")


class FluxLintOperator(FluxTemplateOperator, WindowStageOperator):
    """Look for mistakes in Flux scripts, and fail before they are deployed. Nothing of a script runs over data.

    Returns ``{"scripts", "errors", "warnings", "notes", "silenced", "findings", "unchecked"}``. Each finding is in the log.

    :param flux: a script, the path of a ``.flux`` file, or a list of these; templates, see ``FluxTemplateOperator``
    :param params_flux: values of ``params.<name>``
    :param every: length of the windows that the scripts run for, a Flux duration; default: as their ``option task`` says
    :param fail_on: the least severity that fails the task: ``"error"``, ``"warning"``, ``"note"``, or ``"never"``
    :param max_points: most points that a raw read may read in the interval of the run; default: as many as there are
    """

    verb: ClassVar[str] = "lint"
    template_fields: Sequence[str] = (*WindowStageOperator.template_fields, *SCRIPT_FIELDS)
    template_fields_renderers: ClassVar[dict[str, str]] = {"params_flux": "json"}
    ui_color = "#e4f8ec"

    def __init__(
        self,
        *,
        flux: str | Sequence[str],
        every: DurationLike | None = None,
        fail_on: str = "error",
        max_points: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(flux=flux, **kwargs)
        if fail_on not in FAIL_ON:
            what = f"fail_on={fail_on!r} is not possible"
            raise ConfigurationError(what, written="nothing", fix=f"give one of {', '.join(FAIL_ON)}")
        self.every = declared_duration(every)
        self.fail_on = fail_on
        self.max_points = max_points
        # files are replaced by what they hold when templates are rendered
        self._names = [_name(number, one) for number, one in enumerate(_listed(flux), 1)]

    def execute(self, context: Context) -> dict[str, Any]:
        """Look at the scripts.

        :param context: Airflow's context
        :raises AirflowFailException: when a finding is bad enough, and for permanent errors
        :raises InfluxRollupError: for transient ones, which Airflow retries
        """
        from airflow_provider_influx_rollup.lifecycle.lint.several import lint_all
        from airflow_provider_influx_rollup.lint.finding import Severity

        with failing_by_permanence():
            scripts = self.scripts()
        window = None if self.max_points is None else self.interval(context)
        fail_on = None if self.fail_on == "never" else Severity(self.fail_on)
        return self.run_verb(context, lambda _clock: lint_all(scripts, window, fail_on))

    def _rendered_script(self, flux: Any, context: Context, base: Environment, seen_oids: set[int]) -> Any:
        from airflow_provider_influx_rollup.lint.rendered import with_window

        rendered = super()._rendered_script(flux, context, base, seen_oids)
        start, stop = (context.get(name) for name in ("data_interval_start", "data_interval_end"))
        if not isinstance(start, datetime) or not isinstance(stop, datetime) or rendered == flux:
            return rendered
        return with_window(rendered, start, stop)

    def scripts(self) -> dict[str, LintSpec]:
        """The scripts with their names.

        :raises ConfigurationError: when there is none, or one is no text
        """
        from airflow_provider_influx_rollup.lifecycle.lint.lint import LintSpec

        texts, params = _listed(self.flux), self.script_params()
        if not texts or not all(isinstance(text, str) for text in texts):
            what = "flux is no script, and no list of scripts"
            raise ConfigurationError(what, written="nothing", fix="give Flux text, or paths of .flux files")
        known = self._names if len(self._names) == len(texts) else []
        names = known or [_name(number, text) for number, text in enumerate(texts, 1)]
        every = flux_text(self.every)
        return {
            name: LintSpec(flux=text, params=params, every=every, max_points=self.max_points)
            for name, text in zip(names, texts, strict=True)
        }


def _listed(flux: object) -> list[Any]:
    """The scripts of a parameter that may be one; what only a run knows is none yet."""
    if isinstance(flux, str):
        return [flux]
    return list(flux) if isinstance(flux, list | tuple) else []


def _name(number: int, flux: object) -> str:
    """The path of a file, or the place of a text."""
    is_path = isinstance(flux, str) and flux.endswith(".flux")
    return str(flux) if is_path else f"script {number}"
