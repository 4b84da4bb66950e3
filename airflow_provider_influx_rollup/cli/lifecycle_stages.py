"""The stages of a lifecycle without Airflow: what a run of a DAG's tasks would do, for one measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
from airflow_provider_influx_rollup.lifecycle.pipeline.run_windows import interval_to_run
from airflow_provider_influx_rollup.lifecycle.pipeline.window_choice import COMPLETE
from airflow_provider_influx_rollup.lifecycle.plan.coverage import (
    CoverageResult,
    WindowCoverage,
    WindowState,
    coverage,
)
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.spec import ReconcileSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import texts_of
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.shown import counted
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.validation.rule_file import RuleFile, read_rule_file
from airflow_provider_influx_rollup.windows.delayed import Like, delayed
from airflow_provider_influx_rollup.windows.duration import Duration, flux_text
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.runs import stretches
from airflow_provider_influx_rollup.windows.touched import windows_ending

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.connection import Server
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
    from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

BUCKETS, VALIDATE, ROLLUP, DEADMAN, RECONCILE, ARCHIVE, PURGE = STAGES = (
    "buckets",
    "validate",
    "rollup",
    "deadman",
    "reconcile",
    "archive",
    "purge",
)
#: what declares each stage in a lifecycle
DECLARED_BY = {
    BUCKETS: "buckets",
    VALIDATE: "validation",
    ROLLUP: "tiers",
    DEADMAN: "deadman",
    RECONCILE: "reconcile",
    ARCHIVE: "archive",
    PURGE: "archive.purge_after",
}


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """Outcome of a stage.

    :param what: in words, for people
    :param result: small JSON, that of the operator
    :param is_right: whether nothing is wrong
    :param goes_on: whether the stages after it may run
    """

    stage: str
    what: str
    result: Mapping[str, Any]
    _: KW_ONLY
    is_right: bool = True
    goes_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """The windows that a rollup does not do.

    :param done: how many are COMMITTED already
    :param frozen: those that nobody can do any more
    """

    done: int = 0
    not_due: int = 0
    frozen: Sequence[WindowCoverage] = ()

    @classmethod
    def of(cls, found: CoverageResult, needed: Sequence[Interval]) -> Self:
        """Those that are neither done now nor are to be done."""
        done, not_due = (len(found.in_states(one)) for one in (WindowState.COMMITTED, WindowState.NOT_DUE))
        lost = set(found.needed) - set(needed)
        frozen = [
            replace(one, why="windows of the tier below are frozen") if one.window in lost else one
            for one in found.windows
            if one.window in lost or one.state is WindowState.FROZEN
        ]
        return cls(done=done, not_due=not_due, frozen=frozen)

    def as_json(self) -> dict[str, int]:
        """How many there are of each."""
        return {"left": self.done, "not_due": self.not_due, "frozen": len(self.frozen)}

    def text(self) -> str:
        """What goes on behind the windows that were done."""
        parts = [f"{self.done} {'was' if self.done == 1 else 'were'} done already"] if self.done else []
        if self.not_due:
            parts.append(f"{self.not_due} {'is' if self.not_due == 1 else 'are'} not due")
        if self.frozen:
            first, number = self.frozen[0], len(self.frozen)
            told = f"such as {first.window}: {first.why}"
            parts.append(f"{number} {'is' if number == 1 else 'are'} frozen and cannot be done, {told}")
        return "".join(f", {part}" for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRun:
    """A run of one measurement's lifecycle.

    :param lifecycle: of one measurement
    :param interval: whole windows of the first tier
    :param again: whether windows that are COMMITTED are rolled up too
    :param purges: whether a purge deletes; else it says what it would delete
    :param frozen: where windows of the tiers so far can never be done
    """

    server: Server
    lifecycle: Lifecycle
    interval: Interval
    run: RunInfo
    again: bool = False
    purges: bool = False
    frozen: list[Interval] = field(default_factory=list)

    def stages(self, wanted: Sequence[str]) -> list[tuple[str, Callable[[], StageOutcome]]]:
        """The stages to run, in order; without the buckets, which are of all measurements.

        :param wanted: names of stages
        """
        declared = self.lifecycle
        acts: dict[str, Callable[[], StageOutcome]] = {
            VALIDATE: self._validate,
            DEADMAN: self._check_deadman,
            RECONCILE: self._reconcile,
            ARCHIVE: self._archive,
            PURGE: self._purge,
        }
        found: list[tuple[str, Callable[[], StageOutcome]]] = []
        for name in declared_stages(declared):
            if name == ROLLUP:
                tiers = zip(declared.specs(), declared.tiers, strict=True)
                found += [(name, partial(self._roll_up, spec, tier.options())) for spec, tier in tiers]
            elif name in acts:
                found.append((name, acts[name]))
        return [(name, act) for name, act in found if name in wanted]

    def _now(self) -> datetime:
        return self.server.client.now()

    def _validate(self) -> StageOutcome:
        from airflow_provider_influx_rollup.lifecycle.validate.validate import validate

        spec = validate_spec(self.lifecycle)
        result = self.server.drive(validate(spec, self.interval, self.run, self._now)).as_json()
        is_ok = result["state"] == "ok"
        reaction = self.lifecycle.validation.on_failure if self.lifecycle.validation else "warn"
        stops = not is_ok and reaction in ("fail", "skip")
        what = f"{counted(result['points'], 'point')}, {counted(len(result['violated']), 'rule')} violated"
        return StageOutcome(
            VALIDATE,
            what,
            result,
            is_right=is_ok or reaction in ("skip", "warn", "quarantine"),
            goes_on=not stops,
        )

    def _roll_up(self, spec: RollupSpec, options: RollupOptions) -> StageOutcome:
        interval, reason = self._windows_of(spec)
        if interval is None:
            return StageOutcome(ROLLUP, f"{spec.pipeline_name}: {reason}", {"pipeline": spec.pipeline_name})
        windows = spec.grid.grid().windows(interval)
        needed: Sequence[Interval] = windows
        left = Left()
        if not self.again:
            found = self.server.drive(coverage(spec, interval, self._now()))
            needed, left = self._apart(found)
        results = []
        for some in stretches(windows, needed):
            steps = roll_up(spec, Interval.spanning(some), self.run, self._now, options=options)
            results.append(self.server.drive(steps).as_json())
        rows_in, rows_out = (sum(one[name] for one in results) for name in ("rows_in", "rows_out"))
        result = {
            "pipeline": spec.pipeline_name,
            "window": interval.as_json(),
            "windows": len(needed),
            **left.as_json(),
            "rows_in": rows_in,
            "rows_out": rows_out,
            "notes": [note for one in results for note in one["notes"]],
        }
        amounts = f"{counted(rows_in, 'point')} to {counted(rows_out, 'value')}"
        what = f"{spec.pipeline_name}: {counted(len(needed), 'window')}, {amounts}{left.text()}"
        return StageOutcome(ROLLUP, what, result, is_right=not left.frozen)

    def _apart(self, found: CoverageResult) -> tuple[list[Interval], Left]:
        """The windows of a tier to roll up, and the others; what a tier below can never have, none above waits for."""
        needed = [one for one in found.needed if not any(one.overlaps(span) for span in self.frozen)]
        left = Left.of(found, needed)
        windows = [one.window for one in found.windows]
        self.frozen.extend(map(Interval.spanning, stretches(windows, [one.window for one in left.frozen])))
        return needed, left

    def _windows_of(self, spec: RollupSpec) -> tuple[Interval | None, str]:
        if spec.source_tier is None:
            return self.interval, ""
        return self.server.drive(interval_to_run(spec, self.interval, COMPLETE))

    def _check_deadman(self) -> StageOutcome:
        from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman

        declared = self.lifecycle.deadman
        result = self.server.drive(check_deadman(deadman_spec(self.lifecycle), self.interval)).as_json()
        is_dead = result["state"] == "dead"
        expected = result["expected"]
        what = f"{result['alive']} of {expected} series {'is' if expected == 1 else 'are'} alive"
        fails = is_dead and declared is not None and declared.on_dead == "fail"
        return StageOutcome(DEADMAN, what, result, is_right=not fails)

    def _reconcile(self) -> StageOutcome:
        from airflow_provider_influx_rollup.lifecycle.reconcile.reconcile import reconcile_pipeline

        lowest, *above = self.lifecycle.specs()
        spec = ReconcileSpec(
            rollup=lowest,
            above=tuple(above),
            ledger_bucket=self.lifecycle.ledger_bucket,
            lookback=flux_text(self.lifecycle.reconcile),
        )
        found = self.server.drive(reconcile_pipeline(spec, None, self.run, self._now))
        tiers = [found, *(tier for tier in found.cascaded if tier.dirty or not tier.is_clean)]
        what = "; ".join(f"{tier.spec.pipeline_name}: {tier.text()}" for tier in tiers)
        return StageOutcome(RECONCILE, what, found.as_json(), is_right=found.is_settled)

    def _archive(self) -> StageOutcome:
        from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
        from airflow_provider_influx_rollup.stores.versions import software_versions

        windows = self._archive_windows()
        if not windows:
            return StageOutcome(ARCHIVE, "no window of the archive ends in the interval", {})
        store = self._store()
        versions = software_versions(self.server.client)
        steps = archive(self._archive_spec(store), windows, self.run, self._now, versions)
        result = self._drive_with(store, steps).as_json()
        amount = f"{counted(len(windows), 'window')}, {counted(result['rows_in'], 'point')}"
        return StageOutcome(ARCHIVE, f"{amount} in {result['path']}", result)

    def _purge(self) -> StageOutcome:
        from airflow_provider_influx_rollup.lifecycle.purge.purge import purge

        declared = self.lifecycle.archive
        after = str(declared.purge_after) if declared else ""
        grid = self._archive_grid()
        windows = delayed(grid or Like(self.interval, "UTC"), self.interval, Duration.of(after), "UTC")
        if not windows:
            return StageOutcome(PURGE, f"no window of the archive ended {after} ago", {})
        store = self._store()
        spec = PurgeSpec(
            archive=self._archive_spec(store),
            require_pipelines=tuple(one.pipeline_name for one in self.lifecycle.specs()),
            min_age=after,
            quiet_for=str(flux_text(declared.quiet_for)) if declared else "1d",
        )
        steps = purge(spec, windows, self.run, self._now, dry_run=not self.purges)
        result = self._drive_with(store, steps).as_json()
        verb = "deleted" if self.purges else "would be deleted; nothing was, give --yes"
        refused = f", {len(result['refused'])} refused" if result["refused"] else ""
        what = f"{counted(len(windows), 'window')}, {counted(result['rows_in'], 'point')} {verb}{refused}"
        return StageOutcome(PURGE, what, result, is_right=not result["refused"])

    def _archive_grid(self) -> Grid | None:
        declared = self.lifecycle.archive
        return Grid.of(declared.every) if declared and declared.every else None

    def _archive_windows(self) -> list[Interval]:
        grid = self._archive_grid()
        return [self.interval] if grid is None else windows_ending(grid, self.interval)

    def _archive_spec(self, store: ArchiveStore) -> ArchiveSpec:
        return ArchiveSpec(
            org=self.server.org,
            bucket=self.lifecycle.source_bucket,
            measurement=str(self.lifecycle.measurement),
            shown_path=store.shown,
            ledger_bucket=self.lifecycle.ledger_bucket,
            lateness=str(flux_text(self.lifecycle.tiers[0].lateness)),
        )

    def _store(self) -> ArchiveStore:
        from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

        declared = self.lifecycle.archive
        if declared is None or declared.path_conn_id:
            what = "the archive's path_conn_id is an Airflow connection, which the command line does not read"
            fix = "leave it out, and give the object store's credentials in the environment"
            raise ConfigurationError(what, written="nothing of the archive", fix=fix)
        return ArchiveStore.of_url(declared.path)

    def _drive_with(self, store: ArchiveStore, steps: Steps[Any]) -> Any:
        from airflow_provider_influx_rollup.client.driver import drive
        from airflow_provider_influx_rollup.stores.actions import actions_with

        return drive(steps, self.server.client, self.server.output.report, actions_with(store))


def declared_stages(lifecycle: Lifecycle) -> list[str]:
    """Names of the stages of a lifecycle, in order."""
    archive = lifecycle.archive
    is_declared = {
        BUCKETS: bool(lifecycle.buckets),
        VALIDATE: lifecycle.validation is not None,
        ROLLUP: True,
        DEADMAN: lifecycle.deadman is not None,
        RECONCILE: lifecycle.reconcile is not None,
        ARCHIVE: archive is not None,
        PURGE: archive is not None and archive.purge_after is not None,
    }
    return [name for name in STAGES if is_declared[name]]


def validate_spec(lifecycle: Lifecycle) -> ValidateSpec:
    """The validation in front of a lifecycle of one measurement.

    :raises ConfigurationError: when there is none
    """
    declared = lifecycle.validation
    if declared is None:
        what = f"the lifecycle of measurement {lifecycle.measurement!r} has no validation"
        raise ConfigurationError(what, written="nothing", fix="give validation")
    rules = declared.rules
    found = read_rule_file(rules) if isinstance(rules, str) else RuleFile(rules_of(rules))
    return ValidateSpec(
        bucket=declared.bucket or lifecycle.source_bucket,
        measurement=str(lifecycle.measurement),
        rules=found.rules,
        transformations=found.transformations,
        quarantine_bucket=declared.quarantine_bucket,
        clean_bucket=lifecycle.source_bucket if declared.bucket else None,
        lateness=str(flux_text(lifecycle.tiers[0].lateness)),
        ledger_bucket=lifecycle.ledger_bucket,
    )


def deadman_spec(lifecycle: Lifecycle) -> DeadmanSpec:
    """The deadman check of a lifecycle of one measurement.

    :raises ConfigurationError: when there is none
    """
    declared = lifecycle.deadman
    if declared is None:
        what = f"the lifecycle of measurement {lifecycle.measurement!r} has no deadman check"
        raise ConfigurationError(what, written="nothing", fix="give deadman")
    arrival = lifecycle.validation.bucket if lifecycle.validation else None
    expected = declared.expected_series
    return DeadmanSpec(
        bucket=arrival or lifecycle.source_bucket,
        measurement=str(lifecycle.measurement),
        group_by=None if declared.group_by is None else texts_of(declared.group_by, "group_by"),
        silence=flux_text(declared.silence),
        expected=None if expected is None else tuple(expected),
        inventory_lookback=str(flux_text(declared.inventory_lookback)),
        retire_after=flux_text(declared.retire_after),
        level=declared.level,
        fields=None if lifecycle.fields is None else texts_of(lifecycle.fields, "fields"),
        tags={key: texts_of(values, f"tags[{key!r}]") for key, values in lifecycle.tags.items()},
    )


def with_ledger(lifecycle: Lifecycle, ledger_bucket: str | None) -> Lifecycle:
    """The same with another ledger; None takes the file's."""
    return lifecycle if ledger_bucket is None else replace(lifecycle, ledger_bucket=ledger_bucket)
