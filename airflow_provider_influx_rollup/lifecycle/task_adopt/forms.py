"""Forms that a task can be declared in, and what each cannot express."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.plain_task import PlainTask
from airflow_provider_influx_rollup.globs import is_glob
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup_script.dry_run import sets_v
from airflow_provider_influx_rollup.lifecycle.task_adopt.schedule import RunWindows
from airflow_provider_influx_rollup.lifecycle.task_adopt.spec import (
    FORMS,
    ROLLUP,
    SCRIPT,
    AdoptSpec,
    ReadTask,
)
from airflow_provider_influx_rollup.windows.duration import WEEK_NS, Duration
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from airflow_provider_influx_rollup.windows.local_time import shift

# InfluxDB counts weeks from Thursday 1970-01-01, a grid from Monday 1970-01-05
MONDAY_NS = WEEK_NS * 4 // 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A task as it is declared.

    :param form: ``"rollup"``, ``"script"`` or ``"task"``
    :param rollup: the rollup, with ``form="rollup"``
    :param target_bucket: the bucket of the rows; empty with ``form="task"``
    :param no_rollup: why it is no rollup, one sentence each
    :param no_script: why FluxRollupOperator does not take the script, one sentence each
    :param notes: what is not as in the task, one sentence each
    """

    form: str
    rollup: RollupSpec | None
    target_bucket: str
    no_rollup: tuple[str, ...]
    no_script: tuple[str, ...]
    notes: tuple[str, ...]


def declaration_of(found: ReadTask, spec: AdoptSpec, runs: RunWindows) -> Declaration:
    """Choose the form.

    :raises ConfigurationError: when the form that is asked for is not possible
    """
    rollup, no_rollup = _rollup_of(found, spec, runs.compared)
    no_script = tuple(_why_no_script(found))
    possible = [form for form, against in zip(FORMS, (no_rollup, no_script, ()), strict=True) if not against]
    form = spec.form or possible[0]
    if form not in FORMS:
        what = f"form {form!r} is not possible"
        raise ConfigurationError(what, written="nothing", fix=f"give one of {', '.join(FORMS)}")
    if form not in possible:
        reasons = "; ".join(no_rollup if form == ROLLUP else no_script)
        what = f"task {found.task.name!r} cannot be declared as a {form}: {reasons}"
        raise ConfigurationError(
            what, written="nothing", fix=f"leave the form out, which makes a {possible[0]}"
        )
    plain = found.plain
    if form == ROLLUP and rollup is not None and plain is not None:
        notes, target = (*_notes_of_rollup(plain, rollup), *_notes(found)), rollup.target_bucket
    else:
        rollup, notes = None, tuple(_notes(found)) if form == SCRIPT else ()
        target = found.facts.buckets_written[0] if form == SCRIPT else ""
    return Declaration(
        form=form,
        rollup=rollup,
        target_bucket=target,
        no_rollup=no_rollup,
        no_script=no_script,
        notes=notes,
    )


def _rollup_of(
    found: ReadTask, spec: AdoptSpec, windows: Sequence[Interval]
) -> tuple[RollupSpec | None, tuple[str, ...]]:
    plain = found.plain
    if plain is None:
        return None, found.reasons
    reasons = _why_misfit(plain, windows)
    globs = [name for name in (plain.measurement, *(plain.fields or ())) if is_glob(name)]
    reasons += [f"the name {name!r} has a character that stands for others in a rollup" for name in globs]
    reasons += [
        f"the name {name!r} would be a template in a DAG" for name in plain.names() if _is_template(name)
    ]
    if reasons:
        return None, tuple(reasons)
    try:
        return _spec_of(plain, found.lateness, spec.ledger_bucket), ()
    except ConfigurationError as error:
        return None, (error.what,)


def _is_template(text: str) -> bool:
    return any(mark in text for mark in ("{{", "{%", "{#"))


def _spec_of(plain: PlainTask, lateness: str, ledger_bucket: str) -> RollupSpec:
    return RollupSpec(
        source_bucket=plain.source_bucket,
        target_bucket=plain.target_bucket,
        measurement=plain.measurement,
        grid=_grid_of(plain),
        aggregates=(plain.function,),
        fields=plain.fields,
        tags=plain.tags,
        target_measurement=plain.target_measurement,
        lateness=lateness,
        ledger_bucket=ledger_bucket,
    )


def _grid_of(plain: PlainTask) -> GridSpec:
    offset = plain.offset
    step = plain.every.nanoseconds
    if step and step % WEEK_NS == 0:
        offset = Duration(0, (offset.nanoseconds - MONDAY_NS) % step)
    return GridSpec(plain.every.to_flux(), offset.to_flux())


def _why_misfit(plain: PlainTask, windows: Sequence[Interval]) -> list[str]:
    """Whether what the task reads at each time is whole windows, and each window at least once."""
    grid = _grid_of(plain).grid()
    every = plain.every
    for window in windows:
        start = window.start
        if plain.reach is not None:
            start = shift(window.stop, plain.reach, "UTC", backwards=True)
        at = format_instant(window.stop)
        if start > window.start:
            return [f"at {at} it reads the last {plain.reach} only, and nothing else since its run before"]
        if grid.floor(start) != start or grid.floor(window.stop) != window.stop:
            read = f"its run at {at} reads {Interval(start, window.stop)}"
            return [f"{read}, which is not whole windows of {every}: the parts at its ends become rows too"]
        is_several = grid.window_at(start).stop < window.stop
        if plain.function == "count" and plain.creates_empty and is_several:
            return ["its aggregateWindow() writes a count of 0 for empty windows, where a rollup has no row"]
    return []


def _notes_of_rollup(plain: PlainTask, spec: RollupSpec) -> list[str]:
    name = (plain.fields or ("temp",))[0]
    notes = [f"a field {name!r} is written as '{name}_{plain.function}'; the task keeps its name"]
    if plain.is_stamped_at_stop:
        notes.append("a row has the time of its window's start; the task's rows have its stop")
    if plain.reach is not None and plain.reach != plain.every:
        notes.append(
            f"the task reads the last {plain.reach} each time, so that late points are counted for so long: "
            "a rollup looks for them with reconcile"
        )
    if spec.grid.offset != plain.offset.to_flux():
        notes.append("InfluxDB's weeks begin on Thursday: the rollup's grid has an offset to begin there too")
    return notes


def _notes(found: ReadTask) -> list[str]:
    notes = []
    if found.lateness != "0s":
        notes.append(
            f"offset {found.lateness} is lateness: a run waits until its window has ended so long ago"
        )
    if found.option.cron:
        notes.append(f"cron {found.option.cron!r} is the schedule of the DAG")
    return notes


def _why_no_script(found: ReadTask) -> list[str]:
    facts = found.facts
    reasons = []
    written = [write.bucket for write in facts.writes]
    if not written:
        reasons.append("it writes nothing with to()")
    elif None in written or len(set(written)) > 1:
        names = ", ".join(sorted(repr(name) for name in written if name)) or "computed ones"
        reasons.append(f"it does not write into one bucket that it names, but into {names}")
    reasons += [f"it reads from and writes into {name!r}" for name in set(facts.buckets_read) & set(written)]
    if sets_v(facts):
        reasons.append("it sets v itself")
    if "now" in facts.options:
        reasons.append("it sets now itself")
    reasons += [
        f"its range() on line {one.line} does not follow the window that is run"
        for one in facts.ranges
        if not one.follows_window
    ]
    reasons += [f"it reads {name!r} without range()" for name in facts.unbounded_reads]
    if _is_template(found.script):
        reasons.append("it has {{, {% or {#, which a template would take for its own")
    return [*reasons, *found.own_windows]
