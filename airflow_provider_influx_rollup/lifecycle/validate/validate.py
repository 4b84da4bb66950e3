"""Validate the raw points of an interval: which rules hold, which points break them, and where those go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.flux.validate import RecordedRules
from airflow_provider_influx_rollup.ledger.validation import VALIDATION_MEASUREMENT, encode_validation
from airflow_provider_influx_rollup.lifecycle.ledger.bucket import ensure_ledger
from airflow_provider_influx_rollup.lifecycle.run.clock import wait_until_due
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.window_errors import unless_told
from airflow_provider_influx_rollup.lifecycle.source.buckets import require_bucket
from airflow_provider_influx_rollup.lifecycle.validate.clean import CleanWriter
from airflow_provider_influx_rollup.lifecycle.validate.frozen import require_points
from airflow_provider_influx_rollup.lifecycle.validate.judge import Masks, RuleTally, masks_of_hits
from airflow_provider_influx_rollup.lifecycle.validate.left_over import tell_left_over
from airflow_provider_influx_rollup.lifecycle.validate.looks import (
    Stretch,
    Surroundings,
    fields_in_range,
    look_around,
    only_ranges,
)
from airflow_provider_influx_rollup.lifecycle.validate.name import named_as_before
from airflow_provider_influx_rollup.lifecycle.validate.quarantine import (
    Copies,
    quarantine,
    require_free_tags,
)
from airflow_provider_influx_rollup.lifecycle.validate.read import bounded_parts, read_before, read_part
from airflow_provider_influx_rollup.lifecycle.validate.removed import require_nothing_removed
from airflow_provider_influx_rollup.lifecycle.validate.result import ValidationResult
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.current_window import within
from airflow_provider_influx_rollup.steps.influx import (
    Bucket,
    Delete,
    EnsureBucket,
    Progressed,
    Report,
    Write,
)
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.validation.points import Part, Registry
from airflow_provider_influx_rollup.validation.sightings import RuleVerdict, Scope
from airflow_provider_influx_rollup.validation.time_rules import FutureRule
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

Clock = Callable[[], datetime]
NO_COPY = "no copy of a point, and no result"
SOME_COPIES = "maybe copies of some points, and no result"


@dataclass(frozen=True, kw_only=True)
class ValidationRun:
    """One validation under way.

    :param tallies: of all rules, by name; they count as the points come
    :param verdicts: of the series rules, by name
    """

    spec: ValidateSpec
    scope: Scope
    around: Surroundings
    source: Bucket
    tallies: dict[str, RuleTally]
    verdicts: dict[str, RuleVerdict]
    clean: CleanWriter | None
    copies: Copies
    registry: Registry

    @property
    def ahead(self) -> dict[str, Interval]:
        """Intervals of the points of the rules about the future, by the rule's name."""
        rules = [rule for rule in self.spec.series_rules if isinstance(rule, FutureRule)]
        return {rule.name: rule.looks(self.scope)[0].interval for rule in rules}


def steps_from_job(job: Mapping[str, Any], now: Clock) -> Steps[ValidationResult]:
    """The steps of a deferred validation.

    :param job: spec, intervals and run_info as JSON
    """
    interval = Interval.from_json(job["intervals"][0])
    return validate(ValidateSpec.from_json(job["spec"]), interval, RunInfo(**job["run_info"]), now)


def validate(spec: ValidateSpec, interval: Interval, run: RunInfo, now: Clock) -> Steps[ValidationResult]:
    """Judge the points of an interval by all rules, and put what breaks them where it belongs.

    Everything that is written can be written again: the same interval gives the same quarantine, the same clean points
    and the same results.

    :param run: who validates, for the ledger
    :param now: the clock; a rule about the future and the lateness need it
    :raises BucketNotFound: when the source is missing or may not be read
    :raises WindowFrozen: when points would be copied whose source lacks some, purged or gone by retention
    :raises ConfigurationError: when the points have a tag that the quarantine needs
    :raises SourceChanging: when points were removed while they were copied, as by an erasure
    :raises InfluxError: when the server refuses or cannot be reached
    """
    yield from wait_until_due([interval], spec.lateness, now())
    began = now()
    validation = yield from _begin(spec, Scope(interval, began))
    with unless_told(_left(spec, NO_COPY)):
        wanted = yield from _plan(validation)
        yield from _warm_up(validation)
    stretches, points_read = validation.around.stretches, 0
    total = sum(stretch.count(wanted[stretch.interval]) for stretch in stretches)
    with unless_told(_left(spec, SOME_COPIES)):
        for stretch in stretches:
            so_far = Progressed(message="points judged", done=points_read, total=total)
            judging = _validate_stretch(validation, stretch, sorted(wanted[stretch.interval]), so_far)
            points_read += yield from within(stretch.interval, judging)
        yield from _validate_ahead(validation)
        if not spec.dry_run and spec.copied_to():
            yield from require_nothing_removed(validation.spec, validation.source, validation.around, now())
        clean = validation.clean
        left = yield from tell_left_over(validation.spec, interval, clean.written if clean else 0)
    result = _result(validation, points_read, (now() - began).total_seconds(), left)
    yield from ask(Report(result.table(), level="info" if result.state == "ok" else "warning"))
    for note in result.notes:
        yield from ask(Report(note, level="warning"))
    if not spec.dry_run:
        with unless_told("all copies, and maybe a part of the result"):
            yield from _record(validation, result, run)
    return result


def _left(spec: ValidateSpec, written: str) -> str:
    """What an error says was written that does not say so itself."""
    return "nothing" if spec.dry_run else written


def _begin(spec: ValidateSpec, scope: Scope) -> Steps[ValidationRun]:
    source = yield from require_bucket(spec.bucket, scope.interval)
    if not spec.dry_run:
        yield from ensure_ledger(spec.ledger_bucket, scope.interval)
        if spec.copied_to():
            yield from require_points(spec, source, scope.interval, scope.now)
        ids = {}
        for name in (spec.quarantine_bucket, spec.clean_bucket):
            if name is not None:
                # the same retention gives the same shard groups, so that a field that changes its type fits
                ids[name] = (yield from ask(EnsureBucket(name, source.retention_seconds))).id
        spec = yield from named_as_before(spec, source)
        copies = [
            replace(copied, source_id=source.id, copy_id=ids[copied.bucket]).line()
            for copied in spec.copied_to()
        ]
        if copies:
            # before the first copy: an erasure finds them here
            yield from ask(Write(spec.ledger_bucket, copies))
    with unless_told(_left(spec, NO_COPY)):
        around = yield from look_around(spec, scope, source.shard_group_seconds)
    if spec.quarantine_bucket is not None:
        require_free_tags(around.tag_keys)
    registry = Registry()
    # always in the same order, so that the same points give the same examples
    registry.numbers_of(sorted({one.tags for one in around.seen.census}))
    tallies = {rule.name: RuleTally(rule=rule) for rule in spec.rules}
    verdicts = {rule.name: rule.judge(around.seen) for rule in spec.series_rules}
    for name, verdict in verdicts.items():
        tallies[name].add_verdict(verdict)
    clean = CleanWriter(spec=spec) if spec.clean_bucket is not None and not spec.dry_run else None
    return ValidationRun(
        spec=spec,
        scope=scope,
        around=around,
        source=source,
        tallies=tallies,
        verdicts=verdicts,
        clean=clean,
        copies=Copies(spec=spec, registry=registry),
        registry=registry,
    )


def _plan(validation: ValidationRun) -> Steps[dict[Interval, set[str]]]:
    """Decide which fields of each stretch must be read: those of all rules but of ranges that hold."""
    spec = validation.spec
    read: dict[Interval, set[str]] = {}
    plain: dict[Interval, Stretch] = {}
    hits = _hit_fields(validation) if _copies_points(spec) else {}
    for stretch in validation.around.stretches:
        kinds = stretch.kinds
        wanted = {n for n, kind in kinds.items() if any(rule.wants(n, kind) for rule in spec.point_rules)}
        must = set(kinds) if validation.clean is not None else hits.get(stretch.interval, set())
        alone = [name for name in wanted - must if only_ranges(spec, name, kinds[name])]
        plain[stretch.interval] = replace(stretch, kinds={name: kinds[name] for name in alone})
        read[stretch.interval] = wanted | must
    inside = yield from fields_in_range(spec, plain)
    for stretch in validation.around.stretches:
        held = inside.get(stretch.interval, set())
        read[stretch.interval] -= held
        for rule in spec.point_rules:
            sure = [
                name
                for name, kind in stretch.kinds.items()
                if rule.is_about(name) and (name in held or rule.cannot_break(kind))
            ]
            validation.tallies[rule.name].checked += stretch.count(sure)
    return read


def _copies_points(spec: ValidateSpec) -> bool:
    return spec.quarantine_bucket is not None and not spec.dry_run


def _hit_fields(validation: ValidationRun) -> dict[Interval, set[str]]:
    """The fields that series rules call wrong, by stretch."""
    fields: dict[Interval, set[str]] = defaultdict(set)
    wrong = {(hit.part, hit.field) for verdict in validation.verdicts.values() for hit in verdict.hits}
    for part, name in wrong:
        for stretch in validation.around.stretches:
            if stretch.interval.covers(part):
                fields[stretch.interval].add(name)
    return fields


def _warm_up(validation: ValidationRun) -> Steps[None]:
    """Give the rules about sequences the last points before the interval."""
    spec, around = validation.spec, validation.around
    rules = [rule for rule in spec.point_rules if rule.needs_before]
    fields = {
        name
        for stretch in around.stretches
        for name, kind in stretch.kinds.items()
        if any(rule.wants(name, kind) for rule in rules)
    }
    points = max((rule.needs_before for rule in rules), default=0)
    parts = yield from read_before(
        spec,
        validation.scope.interval,
        sorted(fields),
        points,
        validation.source.shard_group_seconds,
        validation.registry,
    )
    for part in parts:
        for rule in rules:
            tally = validation.tallies[rule.name]
            tally.memory = rule.judge(part, tally.memory).memory


def _validate_stretch(
    validation: ValidationRun, stretch: Stretch, fields: Sequence[str], so_far: Progressed
) -> Steps[int]:
    """Read a stretch in bounded pieces, and judge each piece.

    :param fields: that have to be read
    :param so_far: what was read of the stretches before
    :return: how many points were read
    """
    spec = validation.spec
    read, pieces = 0, [stretch.interval]
    if fields:
        pieces = yield from bounded_parts(spec, stretch.interval, fields, stretch.count(fields))
    for piece in pieces:
        yield from ask(replace(so_far, done=so_far.done + read))
        points = yield from read_part(spec, piece, fields, validation.registry)
        read += points.size
        masks = _judge(validation, points)
        for name, verdict in validation.verdicts.items():
            if name not in validation.ahead:
                masks[name] = masks_of_hits(points, verdict.hits)
        yield from _quarantine(validation, points, masks, but=frozenset(validation.ahead))
        if validation.clean is not None:
            yield from validation.clean.write(points, _wrong(validation, masks))
    return read


def _judge(validation: ValidationRun, part: Part) -> dict[str, Masks]:
    masks: dict[str, Masks] = {}
    for rule in validation.spec.point_rules:
        tally = validation.tallies[rule.name]
        verdict = rule.judge(part, tally.memory)
        tally.add_points(part, verdict)
        masks[rule.name] = verdict.masks
    return masks


def _wrong(validation: ValidationRun, masks: Mapping[str, Masks]) -> dict[int, NDArray[Any]]:
    """The rows that break a rule of severity error."""
    wrong: dict[int, NDArray[Any]] = {}
    for name, tables in masks.items():
        if validation.tallies[name].rule.is_error:
            for index, mask in tables.items():
                wrong[index] = wrong[index] | mask if index in wrong else mask
    return wrong


def _quarantine(
    validation: ValidationRun,
    part: Part,
    masks: Mapping[str, Masks],
    *,
    only: str | None = None,
    but: frozenset[str] = frozenset(),
) -> Steps[None]:
    if not _copies_points(validation.spec):
        return
    copies = validation.copies
    wrong = {
        name: [copies.holdable(name, part.tables[i].where(mask)) for i, mask in tables.items() if mask.any()]
        for name, tables in masks.items()
    }
    for name, tables_of_rule in wrong.items():
        validation.tallies[name].quarantined += sum(map(len, tables_of_rule))
    yield from quarantine(copies, part.interval, wrong, only=only, but=but)


def _validate_ahead(validation: ValidationRun) -> Steps[None]:
    """Copy the points that are later than the clock: they are outside of the interval."""
    spec = validation.spec
    if not _copies_points(spec):
        return
    for name, interval in validation.ahead.items():
        hits = validation.verdicts[name].hits
        fields = sorted({sighting.field for sighting in hits})
        total = sum(sighting.points for sighting in hits)
        for piece in (yield from bounded_parts(spec, interval, fields, total)) if fields else [interval]:
            points = yield from read_part(spec, piece, fields, validation.registry)
            masks = {name: masks_of_hits(points, hits)}
            yield from _quarantine(validation, points, masks, only=name)


def _result(
    validation: ValidationRun, points_read: int, seconds: float, left: Sequence[str]
) -> ValidationResult:
    spec, clean = validation.spec, validation.clean
    notes = [
        f"rule {name} found nothing to look at in {validation.scope.interval}"
        for name, tally in validation.tallies.items()
        if not tally.checked and not tally.violations
    ]
    notes += left
    if validation.copies.unheld:
        notes.append(
            f"{validation.copies.unheld} values are not in the quarantine: line protocol cannot hold their names"
        )
    if clean is not None and clean.lost:
        notes.append(f"{clean.lost} values are not in the clean bucket: they cannot be held or converted")
    written = (
        None if clean is None else {"written": clean.written, "lost": clean.lost, "merged": clean.merged}
    )
    return ValidationResult(
        validation=spec.validation_name,
        bucket=spec.bucket,
        measurement=spec.measurement,
        interval=validation.scope.interval,
        points=validation.around.points,
        points_read=points_read,
        results=[tally.result() for tally in validation.tallies.values()],
        notes=notes,
        clean=written,
        checksums={"clean": clean.checksum if clean else "", "quarantine": validation.copies.checksum},
        seconds=seconds,
        is_dry_run=spec.dry_run,
    )


def _record(validation: ValidationRun, result: ValidationResult, run: RunInfo) -> Steps[None]:
    """Write the results to the ledger; those of rules that are gone leave it."""
    spec, start = validation.spec, validation.scope.interval.start
    at = Interval(start, start + MICROSECOND)
    tags = {"validation": spec.validation_name, "measurement": spec.measurement}
    who = {"dag_id": run.dag_id, "task_id": run.task_id, "run_id": run.run_id}
    lines = encode_validation(
        spec.validation_name, spec.measurement, validation.scope.interval, result.results, who
    )
    yield from ask(Write(spec.ledger_bucket, lines))
    recorded = yield from ask(RecordedRules(spec.ledger_bucket, tags, at))
    for rule in sorted(recorded - {one.name for one in result.results}):
        yield from ask(Delete(spec.ledger_bucket, at, VALIDATION_MEASUREMENT, {**tags, "rule": rule}))
