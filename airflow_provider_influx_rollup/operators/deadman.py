"""Say which series are silent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.standard.operators.branch import BranchMixIn

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException, AirflowSkipException, Context
from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.declared_values import declared_duration
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lineage.counted import Counted, Verdict
from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement
from airflow_provider_influx_rollup.operators._deferrable import DeferrableVerbOperator
from airflow_provider_influx_rollup.operators._options import plain_truth
from airflow_provider_influx_rollup.operators._window import WindowStageOperator
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
    from airflow_provider_influx_rollup.lifecycle.source.inventory import ExpectedSeries
    from airflow_provider_influx_rollup.windows.interval import Interval

ON_DEAD_CHOICES = ("signal", "fail", "skip", "branch")
MAX_NAMED = 5


class DeadmanCheckOperator(WindowStageOperator, DeferrableVerbOperator, BranchMixIn):
    """Check the series of a measurement for silence at the stop of the data interval.

    Each expected series is alive (a point within the silence before the stop), ``stopped`` (seen within the
    lookback, silent now), or ``never_started`` (expected, never seen within the lookback). A series that was
    dead and is alive again ``came_back``; one that is silent for too long is ``retired``, which is said once.
    Each gets a status in the schema of InfluxDB's own checks, at the time of the interval's stop: a rerun
    overwrites its own statuses, and a backfilled interval never clears a present alarm.

    Returns ``{"window", "expected", "alive", "dead_count", "dead": [{"series", "state", "last_seen"}],
    "newly_dead", "came_back", "retired", "statuses_written", "is_latest", "state"}``; the lists hold at most 200 series.
    ``state`` is ``ok``, ``dead`` or ``nothing_expected``; ``is_latest`` is false when the check has judged a later
    interval already, as in a backfill.

    :param bucket: bucket of the series
    :param measurement: their measurement
    :param group_by: tag keys that tell series apart; default: those of ``expected_series``, else all tags
    :param silence: how long without a point is death, a Flux duration; default: the interval's length
    :param every: another name for ``silence``, which counts when both are given
    :param expected_series: tags of each expected series; or ``{"flux": query, "params": values}``, whose rows name them;
        or a function of the interval's start and stop that returns them; default: all that were seen within the
        lookback
    :param inventory_lookback: how long before the interval a series may have been seen last, a Flux duration
    :param retire_after: how long a series may be silent until it is retired, a Flux duration; default: until
        it leaves the lookback. Series of ``expected_series`` are never retired while they are listed
    :param retired: tags of series that are given up; a series that has all tags of one of these is not expected
    :param fields: fields that count as a sign of life, names or globs; default: all
    :param tags: tag values to keep, per tag key
    :param status_bucket: bucket of the statuses
    :param level: level of the statuses of dead series: ``crit`` or ``warn``
    :param ok_level: level of the statuses of alive series
    :param check_name: name of the check; default: made from what is watched. The check's id is made from it; two checks
        that watch the same need one each
    :param on_dead: ``"signal"`` only returns, ``"fail"`` fails without retries, ``"skip"`` skips what comes
        after, ``"branch"`` follows ``follow_task_ids_if_dead`` or ``follow_task_ids_if_alive``
    :param follow_task_ids_if_dead: task or group ids directly after this task, for ``"branch"``
    :param follow_task_ids_if_alive: the same for when no series is dead
    :param dry_run: look and report, write no status
    :raises ConfigurationError: when ``on_dead`` is unknown, or branch has nothing to follow
    """

    verb: ClassVar[str] = "deadman"
    #: Airflow 3 looks at this when a task after the branch is cleared
    inherits_from_skipmixin = True
    template_fields: Sequence[str] = (
        *WindowStageOperator.template_fields,
        "every",
        "bucket",
        "measurement",
        "group_by",
        "silence",
        "expected_series",
        "inventory_lookback",
        "retire_after",
        "retired",
        "fields",
        "tags",
        "status_bucket",
        "check_name",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        ("expected_series", "retired", "tags"), "json"
    )
    ui_color = "#f8e4e4"

    def __init__(
        self,
        *,
        bucket: str,
        measurement: str,
        group_by: Sequence[str] | None = None,
        silence: DurationLike | None = None,
        every: DurationLike | None = None,
        expected_series: ExpectedSeries = None,
        inventory_lookback: DurationLike = "7d",
        retire_after: DurationLike | None = None,
        retired: Sequence[Mapping[str, str]] = (),
        fields: Sequence[str] | None = None,
        tags: Mapping[str, str | Sequence[str]] | None = None,
        status_bucket: str = "_monitoring",
        level: str = "crit",
        ok_level: str = "ok",
        check_name: str | None = None,
        on_dead: str = "signal",
        follow_task_ids_if_dead: str | Iterable[str] | None = None,
        follow_task_ids_if_alive: str | Iterable[str] | None = None,
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_dead not in ON_DEAD_CHOICES:
            what = f"on_dead={on_dead!r} is not possible"
            raise ConfigurationError(what, fix=f"use one of {', '.join(ON_DEAD_CHOICES)}")
        if on_dead == "branch" and not (follow_task_ids_if_dead or follow_task_ids_if_alive):
            what = "on_dead='branch' has no task to follow"
            raise ConfigurationError(what, fix="give follow_task_ids_if_dead or follow_task_ids_if_alive")
        self.bucket = bucket
        self.measurement = measurement
        self.group_by = group_by
        self.silence = declared_duration(silence)
        self.every = declared_duration(every)
        # Airflow 3 would call a function among the template fields with its own arguments
        self.expected_function = expected_series if callable(expected_series) else None
        self.expected_series = None if callable(expected_series) else expected_series
        self.inventory_lookback = declared_duration(inventory_lookback)
        self.retire_after = declared_duration(retire_after)
        self.retired = retired
        self.fields = fields
        self.tags = tags
        self.status_bucket = status_bucket
        self.level = level
        self.ok_level = ok_level
        self.check_name = check_name
        self.on_dead = on_dead
        self.follow_task_ids_if_dead = follow_task_ids_if_dead
        self.follow_task_ids_if_alive = follow_task_ids_if_alive
        # BaseOperator has a method dry_run() that renders the templates
        self.is_dry_run = plain_truth("dry_run", dry_run)

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the data interval of the run.

        :param context: Airflow's context
        :return: the findings
        """
        from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
        from airflow_provider_influx_rollup.task_failures import failing_by_permanence

        interval = self.interval(context)
        with failing_by_permanence():
            spec = self.spec(interval)
        if self.deferrable:
            self.defer_verb(context, asdict(spec), [interval])
        result = self.run_verb(context, lambda _clock: check_deadman(spec, interval, run_info(context)))
        return self.react(context, result)

    def spec(self, interval: Interval) -> DeadmanSpec:
        """The check as plain values.

        :param interval: what a function of ``expected_series`` is called with
        :raises ConfigurationError: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
        from airflow_provider_influx_rollup.lifecycle.source.inventory import called_inventory

        return DeadmanSpec(
            bucket=self.bucket,
            measurement=self.measurement,
            group_by=_listed(self.group_by),
            silence=flux_text(self.silence or self.every),
            expected=called_inventory(self.expected_function or self.expected_series, interval),
            inventory_lookback=flux_text(self.inventory_lookback),
            retire_after=flux_text(self.retire_after),
            retired=tuple(self.retired or ()),
            status_bucket=self.status_bucket,
            level=self.level,
            ok_level=self.ok_level,
            check_name=self.check_name,
            fields=_listed(self.fields),
            tags={key: _listed(values) or () for key, values in (self.tags or {}).items()},
            dry_run=self.is_dry_run,
        )

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """From the points, statuses."""
        return [
            Flow([Measurement(self.bucket, self.measurement)], [Measurement(self.status_bucket, "statuses")])
        ]

    def counted(self, result: Mapping[str, Any]) -> Counted:
        """Statuses written."""
        return Counted(rows_out=[result["statuses_written"]])

    def verdicts(self, result: Mapping[str, Any]) -> Sequence[Verdict]:
        """Whether all expected series report."""
        actual = f"{result['dead_count']} of {result['expected']} series are dead"
        name = self.check_name or self.task_id
        holds = result["state"] != "dead"
        return [Verdict(kind="freshness", name=name, holds=holds, actual=actual, severity="error")]

    def react(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        """Do what ``on_dead`` says.

        :param result: the findings
        :raises AirflowFailException: when series are dead and ``on_dead="fail"``
        :raises AirflowSkipException: when series are dead and ``on_dead="skip"``
        """
        is_dead = result["state"] == "dead"
        if self.on_dead == "branch":
            self.keep_result(context, result)
            self.do_branch(
                context, self.follow_task_ids_if_dead if is_dead else self.follow_task_ids_if_alive
            )
        elif is_dead and self.on_dead != "signal":
            self.keep_result(context, result)
            message = dead_message(result, self.bucket, self.measurement)
            raise (AirflowFailException if self.on_dead == "fail" else AirflowSkipException)(message)
        return result


def dead_message(result: Mapping[str, Any], bucket: str, measurement: str) -> str:
    """One sentence with the first dead series."""
    labels = []
    for found in result["dead"][:MAX_NAMED]:
        tags = (
            ", ".join(f"{key}={value}" for key, value in found["series"].items()) or "the whole measurement"
        )
        labels.append(f"{tags} ({found['state']}, last seen {found['last_seen'] or 'never'})")
    text = few(labels, len(labels), in_all=result["dead_count"])
    stop = result["window"]["stop"]
    return f"{result['dead_count']} of {result['expected']} series of {bucket}/{measurement} are dead at {stop}: {text}"


def _listed(names: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """A tuple of names; one text is one name."""
    if names is None:
        return None
    return (names,) if isinstance(names, str) else tuple(names)
