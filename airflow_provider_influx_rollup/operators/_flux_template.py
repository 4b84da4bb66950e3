"""Stages whose Flux is a template: strict rendering, typed parameters, values for each environment."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement
from airflow_provider_influx_rollup.operators._base import InfluxStageOperator
from airflow_provider_influx_rollup.settings import chosen_environment, takes_bare_words
from airflow_provider_influx_rollup.task_failures import failing_by_permanence

if TYPE_CHECKING:
    from jinja2 import BaseLoader, Environment

    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.templates.environments import Environments
    from airflow_provider_influx_rollup.templates.render import FluxSource

FLUX_FILES = (".flux",)
TEMPLATE_FIELDS = ("environment",)
#: of the stages whose script runs for a window
SCRIPT_FIELDS = (*TEMPLATE_FIELDS, "every", "flux", "params_flux")


class FluxTemplateOperator(InfluxStageOperator):
    """Base of the stages that run Flux of the user.

    :param flux: the script, or the path of a ``.flux`` file, or where a stage takes several a list of these, or these by names; a
        Jinja template whose values are literals of Flux: ``{{ x | flux }}``
    :param params_flux: values of ``params.<name>``, bound as values; a ``FluxParam`` has a type
    :param environments: values that templates read as ``env.<name>``, for each environment:
        ``{"dev": {"bucket": ...}, "prod": {"bucket": ...}}``, or the path of such a YAML file
    :param environment: which of them; default: ``[influx_rollup] environment``
    """

    template_fields: Sequence[str] = (*InfluxStageOperator.template_fields, *TEMPLATE_FIELDS)
    template_ext: Sequence[str] = FLUX_FILES

    def __init__(
        self,
        *,
        flux: str | Sequence[str] | Mapping[str, str] | None = None,
        params_flux: Mapping[str, Any] | None = None,
        environments: Environments | str | None = None,
        environment: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Airflow reads the files of lists, into the list itself, and none of a mapping
        self.flux = list(flux) if isinstance(flux, list | tuple) else flux
        self.params_flux = params_flux
        self.environments = environments
        self.environment = environment
        self.template_hash: str | None = None
        # paths are replaced by the files' texts before the task runs
        self.script_name = PurePath(str(flux)).stem if _is_file(flux) else None
        self._paths = [str(one) if _is_file(one) else None for one in _listed(flux)]
        if isinstance(environments, Mapping):
            from airflow_provider_influx_rollup.templates.environments import checked_environments

            checked_environments(environments, "environments")

    def resolve_template_files(self) -> None:
        """Read the script's file, and refuse a wrong template while the DAG is parsed.

        :raises TemplateInvalid: with file and line
        :raises ConfigurationError: when the file cannot be read, or the environments are wrong
        """
        from airflow_provider_influx_rollup.templates.render import FluxSource

        super().resolve_template_files()
        if isinstance(self.flux, Mapping) and any(_is_file(one) for one in self.flux.values()):
            loader = self.get_template_env()
            self.flux = {name: _read(one, loader) for name, one in self.flux.items()}
        scripts = [one for one in self._sources() if isinstance(one, FluxSource)]
        if not scripts and not isinstance(self.environments, str):
            return
        base = self.get_template_env()
        self.environments = self._read_environments(base)
        for flux in scripts:
            self._check_template(flux, base)

    def _sources(self) -> list[Any]:
        """The scripts, each with the path of its file, by which the templates next to it are found."""
        from airflow_provider_influx_rollup.templates.render import FluxSource

        scripts = _listed(self.flux)
        paths = self._paths if len(self._paths) == len(scripts) else [None] * len(scripts)
        return [
            FluxSource(one, path or f"flux of the task {self.task_id!r}") if isinstance(one, str) else one
            for one, path in zip(scripts, paths, strict=True)
        ]

    def _check_template(self, flux: FluxSource, base: Environment) -> None:
        from airflow_provider_influx_rollup.templates.render import check, template_hash

        if flux.endswith(FLUX_FILES):
            what = f"the file {flux!r} cannot be read"
            fix = "give a path below the DAG's folder or its template_searchpath"
            raise ConfigurationError(what, written="nothing", fix=fix)
        sources = check(flux, base, takes_words=takes_bare_words())
        self.template_hash = template_hash(sources) if _has_template(flux, base) else None

    def _read_environments(self, base: Environment) -> Environments | None:
        """The environments as values, of a file too."""
        from airflow_provider_influx_rollup.templates.environments import read_environments

        if not isinstance(self.environments, str):
            return self.environments
        try:
            text = loader_of(base).get_source(base, self.environments)[0]
        except OSError as error:  # TemplateNotFound is one
            what = f"the file of environments {self.environments!r} cannot be read"
            fix = "give a path below the DAG's folder or its template_searchpath"
            raise ConfigurationError(what, written="nothing", fix=fix) from error
        return read_environments(text, self.environments)

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: Environment,
        seen_oids: set[int],
    ) -> None:
        """Render Flux by its own rules, and everything with the values of the environment.

        :raises AirflowFailException: when the template cannot be rendered
        """
        if parent is not self:
            super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
            return
        super()._do_render_template_fields(self, ["environment"], context, jinja_env, seen_oids)
        with failing_by_permanence():
            context = self._with_environment(context, jinja_env)
        others = [name for name in template_fields if name not in ("environment", "flux", "params_flux")]
        super()._do_render_template_fields(self, others, context, jinja_env, seen_oids)
        with failing_by_permanence():
            self.params_flux = self._rendered_params(context, jinja_env, seen_oids)
            self.flux = self._rendered_flux(context, jinja_env, seen_oids)

    def _with_environment(self, context: Context, base: Environment) -> Context:
        from airflow_provider_influx_rollup.templates.environments import values_of

        environments = self._read_environments(base)
        if environments is None:
            return context
        extended = copy.copy(context)
        extended["env"] = values_of(environments, self.environment or chosen_environment())  # type: ignore[typeddict-unknown-key, unused-ignore]
        return extended

    def _rendered_params(self, context: Context, base: Environment, seen_oids: set[int]) -> Any:
        from airflow_provider_influx_rollup.templates.param import FluxParam

        if not isinstance(self.params_flux, Mapping):
            return self.render_template(self.params_flux, context, base, seen_oids)
        rendered = {}
        for name, value in self.params_flux.items():
            written = value.value if isinstance(value, FluxParam) else value
            made = self._rendered_value(written, context, base, seen_oids)
            rendered[name] = value.bound(made, name) if isinstance(value, FluxParam) else made
        return rendered

    def _rendered_value(self, written: Any, context: Context, base: Environment, seen_oids: set[int]) -> Any:
        """A value of ``params_flux``. A DAG of native objects would make a number of the text 12: here it stays a text."""
        from jinja2.nativetypes import NativeEnvironment

        from airflow_provider_influx_rollup.airflow_compat import render_template_to_string

        if isinstance(base, NativeEnvironment):
            if isinstance(written, str):
                # raised where the template gives another object than a text
                with suppress(TypeError):
                    return render_template_to_string(base.from_string(written), context)
            if isinstance(written, list | tuple):
                return [self._rendered_value(one, context, base, seen_oids) for one in written]
        return self.render_template(written, context, base, seen_oids)

    def _rendered_flux(self, context: Context, base: Environment, seen_oids: set[int]) -> Any:
        rendered = [self._rendered_script(one, context, base, seen_oids) for one in self._sources()]
        if isinstance(self.flux, Mapping):
            return dict(zip(self.flux, rendered, strict=True))
        return rendered if isinstance(self.flux, list | tuple) else rendered[0]

    def _rendered_script(self, flux: Any, context: Context, base: Environment, seen_oids: set[int]) -> Any:
        from airflow_provider_influx_rollup.airflow_compat import render_template_to_string
        from airflow_provider_influx_rollup.templates.render import FluxSource, render

        if not isinstance(flux, FluxSource):
            return self.render_template(flux, context, base, seen_oids)
        if flux.endswith(FLUX_FILES):
            flux = FluxSource(_read(flux, base), flux.name)
        self._check_template(flux, base)
        return render(
            flux,
            base,
            lambda template: render_template_to_string(template, context),
            takes_words=takes_bare_words(),
        )

    def script_flow(self, *outputs: str) -> Flow:
        """From the buckets that the script reads, those that it writes, as far as its text tells.

        :param outputs: buckets that it writes anyway
        """
        from airflow_provider_influx_rollup.flux.script import script_facts
        from airflow_provider_influx_rollup.lint.parser import parse_flux
        from airflow_provider_influx_rollup.lint.tokens import NotFlux

        written, read = dict.fromkeys(outputs), dict[str, None]()
        for flux in _listed(self.flux):
            # else the server has said so, or knows more of the language
            with suppress(NotFlux):
                facts = script_facts(parse_flux(str(flux)), self.script_params())
                written |= dict.fromkeys(facts.buckets_written)
                read |= dict.fromkeys(facts.buckets_read)
        return Flow([Measurement(bucket) for bucket in read], [Measurement(bucket) for bucket in written])

    def script_params(self) -> Mapping[str, Any] | None:
        """Values of ``params.<name>``; those with a type as plain values.

        :raises ConfigurationError: when one is not of its type
        """
        from airflow_provider_influx_rollup.templates.param import bound_params

        return bound_params(self.params_flux)


def loader_of(base: Environment) -> BaseLoader:
    """The loader of the DAG's templates.

    :raises FileNotFoundError: when the task belongs to no DAG
    """
    if base.loader is None:
        what = "the task belongs to no DAG"
        raise FileNotFoundError(what)
    return base.loader


def _listed(flux: object) -> list[Any]:
    """The scripts of a parameter that may be one."""
    if isinstance(flux, Mapping):
        return list(flux.values())
    return list(flux) if isinstance(flux, list | tuple) else [flux]


def _is_file(flux: object) -> bool:
    """Whether a script is the path of a file."""
    return isinstance(flux, str) and flux.endswith(FLUX_FILES)


def _read(flux: str, base: Environment) -> str:
    """A script, of a file too when there is one; else as it was."""
    if _is_file(flux):
        with suppress(OSError):  # TemplateNotFound is one
            return loader_of(base).get_source(base, flux)[0]
    return flux


def _has_template(flux: str, base: Environment) -> bool:
    """Whether a script holds anything for Jinja."""
    return any(mark in flux for mark in (base.variable_start_string, base.block_start_string))
