"""``tasks diff`` and ``tasks deploy``: scripts, rendered where they are templates, become tasks of InfluxDB."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.lint_values import add_values, environment_of, params_of
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxRollupError, TemplateInvalid

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.connection import Server
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.task_deploy.spec import TaskSpec
    from airflow_provider_influx_rollup.lifecycle.task_deploy.task_deploy import DeployResult


def add_deploy_arguments(parser: ArgumentParser) -> None:
    """The options of both actions."""
    parser.add_argument(
        "names", nargs="+", metavar="FILE", help=".flux files; with --state absent also names of tasks"
    )
    group = parser.add_argument_group("task")
    group.add_argument("--state", default="active", help="active, inactive or absent (active)")
    group.add_argument("--task-pipeline", metavar="NAME", help="what the description calls the pipeline")
    group.add_argument(
        "--every", metavar="DURATION", help="length of the windows of v, for a task with a cron"
    )
    group.add_argument("--timezone", default="UTC", help="zone in which days, months and years begin (UTC)")
    group.add_argument("--overwrite", action="store_true", help="replace what was changed by hand")
    add_values(parser)


def deploy(args: Namespace, server: Server) -> tuple[list[dict[str, Any]], bool]:
    """Deploy the scripts, or show what that would change; right when all is deployed, or nothing differs.

    :raises TemplateInvalid: when one cannot be rendered, with file and line; nothing is deployed then
    :raises ScriptError: when one cannot run; likewise
    """
    from airflow_provider_influx_rollup.lifecycle.task_deploy.task_deploy import deploy_task

    is_diff = args.action == "diff"
    specs = _specs(args, server.output)

    def acted(name: str, *, dry_run: bool) -> DeployResult:
        with _about_file(name):
            return server.drive(deploy_task(specs[name], server.client.now, dry_run=dry_run))

    # nothing is deployed when one of the scripts is wrong
    planned = {name: acted(name, dry_run=True) for name in specs}
    answers = []
    for name in specs:
        result = planned[name] if is_diff else acted(name, dry_run=False)
        change = result.change
        server.output.show(f"{result.name}  {change.action.value}", *([change.diff] if change.diff else []))
        answers.append({"file": name, **result.as_json(), "diff": change.diff})
    return answers, not is_diff or not any(one["diff"] for one in answers)


def _specs(args: Namespace, output: Output) -> dict[str, TaskSpec]:
    """The tasks of the scripts, and of names that are to go."""
    from airflow_provider_influx_rollup.lifecycle.task_deploy.spec import ABSENT

    params, env = params_of(args), environment_of(args)
    found: dict[str, TaskSpec] = {}
    for name in args.names:
        if args.state == ABSENT and not Path(name).is_file():
            found[name] = _spec(args, name=name)
            continue
        rendered = _rendered(args, name, params, env)
        if rendered is None:
            output.note(f"{name} is left out: it puts out no Flux, and is for templates that import it")
            continue
        flux, of_flux = rendered
        found[name] = _spec(args, flux=flux, params=of_flux or None)
    if not found:
        what = "none of the files puts out Flux"
        raise ConfigurationError(what, written="nothing", fix="name a file with an option task")
    return found


def _spec(args: Namespace, **more: Any) -> TaskSpec:
    from airflow_provider_influx_rollup.lifecycle.task_deploy.spec import TaskSpec

    return TaskSpec(
        **{"flux": None, **more},
        state=args.state,
        every=args.every,
        timezone=args.timezone,
        pipeline=args.task_pipeline,
        overwrite=args.overwrite,
    )


class _Params(dict[str, Any]):
    """The values of ``params``, and which of them templates have read."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """The value; a template asks so for one that may be missing."""
        self.read.add(name)
        return super().get(name, default)


def _rendered(
    args: Namespace, name: str, values: Mapping[str, Any] | None, env: Mapping[str, Any] | None
) -> tuple[str, dict[str, Any]] | None:
    """The Flux of a file, and the values that it reads itself; None when it holds only what others import."""
    from airflow_provider_influx_rollup.cli.lint_files import ScriptFile, read_script
    from airflow_provider_influx_rollup.cli.script_templates import GIVEN_BY, rendered_script, values_of_call

    params = _Params(values or {})
    script = ScriptFile(Path(name).as_posix(), read_script(Path(name)))
    try:
        flux = rendered_script(script, values_of_call(params, env), takes_words=args.bare_words)
    except TemplateInvalid as error:
        error.fix = f"{error.fix}; {GIVEN_BY}"
        raise
    if script.text.strip() and not flux.strip():
        return None
    only_template = {one for one in params.read if not _reads(flux, one)}
    return flux, {one: value for one, value in params.items() if one not in only_template}


def _reads(flux: str, name: str) -> bool:
    """Whether Flux may read ``params.name``; a text or a comment with these words counts too, and does no harm."""
    word = re.escape(name)
    return re.search(rf'params\s*(\.\s*{word}\b|\[\s*"{word}"\s*\])', flux) is not None


@contextmanager
def _about_file(name: str) -> Iterator[None]:
    """Let errors name the script's file."""
    try:
        yield
    except InfluxRollupError as error:
        error.what = f"{name}: {error.what}"
        raise
