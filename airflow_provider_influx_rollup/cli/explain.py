"""Tell what a lifecycle file does: the order of its stages, the windows, Flux and requests of each, assets, the permissions."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection
from airflow_provider_influx_rollup.cli.run import add_lifecycle, chosen, declared
from airflow_provider_influx_rollup.shown import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airflow_provider_influx_rollup.cli.explain_stages import Sent
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
    from airflow_provider_influx_rollup.lifecycle.plan.explain import ExplainedRollup

HELP = "what a lifecycle file does: order, windows, Flux, assets, permissions"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_lifecycle(parser)
    parser.add_argument(
        "--ask", action="store_true", help="ask the server which fields there are; else no server is asked"
    )
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Print what each stage of each measurement does."""
    from airflow_provider_influx_rollup.cli.exit_codes import RIGHT
    from airflow_provider_influx_rollup.cli.explain_assets import assets_of, events_of
    from airflow_provider_influx_rollup.cli.explain_stages import sent_by_stages
    from airflow_provider_influx_rollup.cli.output import table
    from airflow_provider_influx_rollup.lifecycle.pipeline.permissions import permissions_of
    from airflow_provider_influx_rollup.lifecycle.plan.explain import explain_rollups

    lifecycle = declared(args)
    now, each, types = _asked(args, output, lifecycle)
    measurements = []
    for one in each:
        rollups = explain_rollups(one, now, types.get(str(one.measurement)))
        stages = _in_order(one, rollups)
        sent = sent_by_stages(one, rollups, now, types.get(str(one.measurement)))
        _show(str(one.measurement), stages, rollups, output)
        _show_sent(sent, output)
        assets = assets_of(one, args.conn_id)
        if assets:
            patterns = () if args.ask else lifecycle.patterns
            output.show(events_of(one, patterns), table(("stage", "asset"), assets), "")
        order = [{"stage": stage, "what": what} for stage, what in stages]
        tiers = [rollup.as_json() for rollup in rollups]
        told_sent = [request.as_json() for request in sent]
        measurements.append(
            {
                "measurement": one.measurement,
                "order": order,
                "rollups": tiers,
                "sent": told_sent,
                "assets": [{"stage": stage, "uri": uri} for stage, uri in assets],
            }
        )
    needed = permissions_of(lifecycle)
    output.show(
        table(("stage", "permission"), [(name, one) for name, some in needed.items() for one in some])
    )
    told = {stage: [str(one) for one in some] for stage, some in needed.items()}
    return output.finish(args.command, RIGHT, {"measurements": measurements, "permissions": told})


def _asked(
    args: Namespace, output: Output, lifecycle: Lifecycle
) -> tuple[datetime, list[Lifecycle], Mapping[str, Mapping[str, str]]]:
    """The time, one lifecycle for each measurement, and the types of its fields.

    When no server is to be asked, there are no types, and patterns are told as they are, or as the measurements that are
    named and that they mean.
    """
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.client.server_clock import machine_now
    from airflow_provider_influx_rollup.lifecycle.source.discovery import lifecycles_of
    from airflow_provider_influx_rollup.lifecycle.source.field_types import known_types

    if not args.ask:
        known = (*lifecycle.patterns, *(args.measurement or ()))
        return machine_now(), chosen(args, lifecycle.each(known)), {}
    with connect(args, output) as server:
        each = chosen(args, server.drive(lifecycles_of(lifecycle)))
        names = [str(one.measurement) for one in each]
        types = {name: server.drive(known_types(lifecycle.source_bucket, name)) for name in names}
        return server.client.now(), each, types


def _in_order(lifecycle: Lifecycle, rollups: Sequence[ExplainedRollup]) -> list[tuple[str, str]]:
    """Each stage, and its windows in words."""
    from airflow_provider_influx_rollup.cli.lifecycle_stages import ROLLUP, declared_stages

    found: list[tuple[str, str]] = []
    for stage in declared_stages(lifecycle):
        if stage == ROLLUP:
            found += [(stage, _of_rollup(one)) for one in rollups]
        else:
            found.append((stage, _of_other(stage, lifecycle)))
    return found


def _of_rollup(rollup: ExplainedRollup) -> str:
    spec = rollup.spec
    where = f"{spec.pipeline_name}: {spec.source_bucket} to {spec.target_bucket}"
    if spec.source_tier is None:
        late = "" if spec.lateness == "0s" else f" and {spec.lateness} have passed"
        by = ", computed by tasks of InfluxDB" if rollup.is_native else ""
        return (
            f"{where}, windows of {spec.grid.label} when they have ended{late}, such as {rollup.window}{by}"
        )
    made = counted(rollup.cells, "window")
    return f"{where}, windows of {spec.grid.label} when {made} of {spec.source_tier} are committed, such as {rollup.window}"


def _of_other(stage: str, lifecycle: Lifecycle) -> str:
    archive, validation, deadman = lifecycle.archive, lifecycle.validation, lifecycle.deadman
    arrival = (validation.bucket if validation else None) or lifecycle.source_bucket
    every = None if archive is None else archive.every
    ending = f"windows of {every} that end in the run" if every else "the run's interval"
    ended = f"windows of {every} that ended" if every else "the interval as long as the run's that ended"
    silence = "the run's interval" if deadman is None or deadman.silence is None else deadman.silence
    after, quiet = (archive.purge_after, archive.quiet_for) if archive else (None, None)
    return {
        "buckets": f"{', '.join(one.name for one in lifecycle.buckets)}; before all measurements",
        "validate": f"points of {arrival} in the run's interval; on_failure: {validation.on_failure if validation else ''}",
        "deadman": f"series of {arrival} without a point for {silence} before the end of the run's interval",
        "reconcile": f"windows of all tiers in the last {lifecycle.reconcile}, compared with what their points give now",
        "archive": f"points of {lifecycle.source_bucket}, {ending}, to {archive.path if archive else ''}",
        "purge": f"points of {lifecycle.source_bucket}, {ended} {after} before, archived and quiet for {quiet}",
    }[stage]


def _show(
    measurement: str,
    stages: Sequence[tuple[str, str]],
    rollups: Sequence[ExplainedRollup],
    output: Output,
) -> None:
    from airflow_provider_influx_rollup.cli.output import table

    rows = [(number, stage, what) for number, (stage, what) in enumerate(stages, start=1)]
    output.show(table((">", "stage", "what"), rows, title=measurement), "")
    for one in rollups:
        by = "Script of the task of InfluxDB that computes" if one.is_native else "Flux of"
        output.show(f"{by} {one.spec.pipeline_name}, for {one.window}")
        if one.assumed:
            output.show(f"once for each field that {', '.join(one.assumed)} stands for")
        for script in one.scripts:
            output.show("", script)
        if one.in_worker:
            output.show(f"computed in the worker, from points that it reads: {', '.join(one.in_worker)}")
        output.show(f"writes: {', '.join(one.columns)}", "")


def _show_sent(sent: Sequence[Sent], output: Output) -> None:
    for one in sent:
        output.show(f"{one.stage}: {one.why}", "", one.text, "")
