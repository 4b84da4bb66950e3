"""Validate the raw points of the data interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.standard.operators.branch import BranchMixIn

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException, AirflowSkipException, Context
from airflow_provider_influx_rollup.assets.names import measurement_uri
from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.declared_values import declared_duration, is_plain
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lineage.counted import Counted, Verdict, verdicts_of_rules
from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement
from airflow_provider_influx_rollup.operators._deferrable import DeferrableVerbOperator
from airflow_provider_influx_rollup.operators._held_assets import HeldAssetsOperator
from airflow_provider_influx_rollup.operators._ledger import LEDGER_FIELDS
from airflow_provider_influx_rollup.operators._options import texts
from airflow_provider_influx_rollup.operators._window import WindowStageOperator
from airflow_provider_influx_rollup.settings import read_settings
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.validation.rule_file import RuleFile, read_rule_file
from airflow_provider_influx_rollup.validation.transformations import transformations_of
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.announce.held import Held
    from airflow_provider_influx_rollup.lifecycle.validate.result import ValidationResult
    from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.validation.rule import Rule
    from airflow_provider_influx_rollup.validation.transformations import Transformation
    from airflow_provider_influx_rollup.windows.interval import Interval

CLEAN, QUARANTINE = "clean", "quarantine"
ON_FAILURE_CHOICES = ("fail", "quarantine", "warn", "skip", "branch")
RULE_FILES = (".yaml", ".yml")
MAX_NAMED = 5


class FluxValidateOperator(WindowStageOperator, HeldAssetsOperator, DeferrableVerbOperator, BranchMixIn):
    """Judge the raw points of the data interval by rules, before anything is made of them.

    What InfluxDB can count is asked of it in few queries; the rest is one bounded read that all rules share. The
    verdict of each rule is kept in the ledger bucket, measurement ``validation_results``, and told in the log as a table.

    Returns ``{"window", "state", "points", "points_read", "violated", "quarantined", "rules": [{"rule", "checked",
    "violations", "unit", "is_violated", "quarantined", "examples", ...}], "clean", "notes", ...}``. ``state`` is ``ok``
    or ``violated``.

    :param bucket: bucket of the points
    :param measurement: their measurement
    :param rules: rules, dicts such as ``{"rule": "range", "field": "temp", "high": 85}``, YAML text, or the path of a
        ``.yaml`` file beside the DAG
    :param fields: fields that are looked at, names or globs; default: all
    :param tags: tag values to keep, per tag key
    :param quarantine_bucket: bucket to which points that break a rule are copied, with the rule as tag
        ``violated_rule``; made on demand
    :param clean_bucket: bucket to which the points that break no rule are written, transformed; made on demand
    :param clean_measurement: their measurement; default: the same
    :param transformations: what makes points clean: tags, names, units, types; in this order
    :param lateness: how long after the interval's stop its points may still come, a Flux duration; an early run waits
    :param warm_up: how far before the interval to look for each series' last points, a Flux duration; default: the
        interval's length, a day at most
    :param on_failure: when a rule of severity ``error`` is violated: ``"fail"`` fails without retries, ``"quarantine"``
        and ``"warn"`` go on, ``"skip"`` skips what comes after, ``"branch"`` follows ``follow_task_ids_if_invalid``
    :param follow_task_ids_if_valid: task or group ids directly after this task, for ``"branch"``
    :param follow_task_ids_if_invalid: the same for when a rule is violated
    :raises ConfigurationError: when a parameter is not possible
    :raises RuleInvalid: when a rule is not possible; in a file with the line
    """

    verb: ClassVar[str] = "validate"
    asset_fields: ClassVar[Sequence[str]] = (
        *HeldAssetsOperator.asset_fields,
        "quarantine_bucket",
        "clean_bucket",
        "clean_measurement",
    )
    #: Airflow 3 looks at this when a task after the branch is cleared
    inherits_from_skipmixin = True
    template_fields: Sequence[str] = (
        *WindowStageOperator.template_fields,
        *LEDGER_FIELDS,
        "lateness",
        "bucket",
        "measurement",
        "rules",
        "fields",
        "tags",
        "quarantine_bucket",
        "clean_bucket",
        "clean_measurement",
        "transformations",
        "warm_up",
    )
    template_ext: Sequence[str] = RULE_FILES
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "rules": "yaml",
        "transformations": "py",
        "tags": "json",
    }
    ui_color = "#e4f4e4"

    def __init__(
        self,
        *,
        bucket: str,
        measurement: str,
        rules: str | Sequence[Rule | Mapping[str, Any]],
        fields: str | Sequence[str] | None = None,
        tags: Mapping[str, str | Sequence[str]] | None = None,
        quarantine_bucket: str | None = None,
        clean_bucket: str | None = None,
        clean_measurement: str | None = None,
        transformations: Sequence[Transformation | Mapping[str, Any]] | None = None,
        lateness: DurationLike = "0s",
        warm_up: DurationLike | None = None,
        on_failure: str = "fail",
        follow_task_ids_if_valid: str | Iterable[str] | None = None,
        follow_task_ids_if_invalid: str | Iterable[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.measurement = measurement
        self.rules = rules
        self.fields = fields
        self.tags = tags
        self.quarantine_bucket = quarantine_bucket
        self.clean_bucket = clean_bucket
        self.clean_measurement = clean_measurement
        self.transformations = transformations
        self.lateness = declared_duration(lateness)
        self.warm_up = declared_duration(warm_up)
        self.on_failure = on_failure
        self.follow_task_ids_if_valid = follow_task_ids_if_valid
        self.follow_task_ids_if_invalid = follow_task_ids_if_invalid
        # the rules are replaced by the file's text before the task runs
        self._rules_source = rules if _is_path(rules) else "rules"
        self._require_reaction()
        if not _is_path(rules):
            self._check_rules()
        if self.tells and not self._copied_to():
            what = "outlets='auto' has nothing to name: this validation writes no points"
            fix = "give clean_bucket or quarantine_bucket, or name the assets of its points in outlets"
            raise ConfigurationError(what, written="nothing", fix=fix)
        self.settle_outlets()

    def asset_uris(self) -> list[str]:
        """The clean points, and those in quarantine."""
        return list(self._copied_to().values())

    def held(self) -> list[Held]:
        """The points of the run's interval in each of them."""
        from airflow_provider_influx_rollup.lifecycle.announce.held import Held
        from airflow_provider_influx_rollup.lifecycle.run.held_window import HeldWindow
        from airflow_provider_influx_rollup.windows.interval import Interval

        return [
            Held(
                uri=uri,
                pipeline=one["validation"],
                stage=self.verb,
                windows=[
                    HeldWindow(
                        window=Interval.from_json(one["window"]),
                        rows_out=one["clean"]["written"] if kind == CLEAN else one["quarantined"],
                        checksum=one["checksums"][kind],
                    )
                ],
            )
            for one in self.lineage_results
            for kind, uri in self._copied_to().items()
        ]

    def _copied_to(self) -> dict[str, str]:
        """The assets of what it writes."""
        places = {CLEAN: (self.clean_bucket, self.clean_measurement or self.measurement)}
        places[QUARANTINE] = (self.quarantine_bucket, self.measurement)
        return {
            kind: measurement_uri(bucket, name, influx_conn_id=self.influx_conn_id, org=self.org)
            for kind, (bucket, name) in places.items()
            if bucket
        }

    def resolve_template_files(self) -> None:
        """Read the file of rules, and refuse wrong rules while the DAG is parsed.

        :raises RuleInvalid: with the file and the line
        :raises ConfigurationError: when the file cannot be read
        """
        super().resolve_template_files()
        if _is_path(self.rules):
            what = f"the file of rules {self.rules!r} cannot be read"
            raise ConfigurationError(what, written="nothing", fix="give a path below the DAG's folder")
        self._check_rules()

    def execute(self, context: Context) -> dict[str, Any]:
        """Validate the data interval of the run.

        :param context: Airflow's context
        :return: the findings
        """
        interval = self.interval(context)
        spec = self.spec(interval)
        if self.deferrable:
            self.defer_verb(context, spec.as_json(), [interval])

        def make_steps(now: Callable[[], datetime]) -> Steps[ValidationResult]:
            from airflow_provider_influx_rollup.lifecycle.validate.validate import validate

            return validate(spec, interval, run_info(context), now)

        return self.react(context, self.run_verb(context, make_steps))

    @failing_by_permanence()
    def spec(self, interval: Interval) -> ValidateSpec:
        """The validation as plain values.

        :param interval: what users' functions are asked about
        :raises AirflowFailException: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.validate.spec import MAX_ROWS_PER_READ, ValidateSpec

        declared = self._declared()
        spec = ValidateSpec(
            bucket=self.bucket,
            measurement=self.measurement,
            rules=declared.rules,
            fields=None if self.fields is None else texts(self.fields),
            tags={key: texts(values) for key, values in (self.tags or {}).items()},
            quarantine_bucket=self.quarantine_bucket or None,
            clean_bucket=self.clean_bucket or None,
            clean_measurement=self.clean_measurement or None,
            transformations=declared.transformations,
            warm_up=flux_text(self.warm_up),
            lateness=flux_text(self.lateness),
            name=self.pipeline,
            ledger_bucket=self.ledger_bucket,
            max_rows_per_read=min(read_settings().max_rows_per_read, MAX_ROWS_PER_READ),
            dry_run=self.is_dry_run,
        )
        return spec.at(interval)

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """From the points, those in quarantine and the clean ones."""
        copies = [(self.quarantine_bucket, self.measurement)]
        copies += [(self.clean_bucket, self.clean_measurement or self.measurement)]
        outputs = [Measurement(bucket, name) for bucket, name in copies if bucket]
        return [Flow([Measurement(self.bucket, self.measurement)], outputs)]

    def counted(self, result: Mapping[str, Any]) -> Counted:
        """Points judged, values in quarantine, clean values."""
        quarantined = [result["quarantined"]] if self.quarantine_bucket else []
        return Counted(
            rows_in=result["points"], rows_out=[*quarantined, (result["clean"] or {}).get("written")]
        )

    def verdicts(self, result: Mapping[str, Any]) -> Sequence[Verdict]:
        """Of each rule."""
        return verdicts_of_rules(result["rules"])

    def react(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        """Do what ``on_failure`` says.

        :param result: the findings
        :raises AirflowFailException: when a rule is violated and ``on_failure="fail"``
        :raises AirflowSkipException: when a rule is violated and ``on_failure="skip"``
        """
        is_violated = result["state"] == "violated"
        if self.on_failure == "branch":
            self.keep_result(context, result)
            follow = self.follow_task_ids_if_invalid if is_violated else self.follow_task_ids_if_valid
            self.do_branch(context, follow)
        elif is_violated and self.on_failure in ("fail", "skip"):
            self.keep_result(context, result)
            error = AirflowFailException if self.on_failure == "fail" else AirflowSkipException
            raise error(violated_message(result))
        elif is_violated:
            self.log.warning("%s", violated_message(result))
        return result

    def _declared(self) -> RuleFile:
        """The rules and transformations, of the parameters or of the file.

        :raises RuleInvalid: when one is not possible
        """
        if isinstance(self.rules, str):
            found = read_rule_file(self.rules, str(self._rules_source))
        else:
            found = RuleFile(rules_of(self.rules))
        return RuleFile(
            found.rules, (*found.transformations, *transformations_of(self.transformations or ()))
        )

    def _check_rules(self) -> None:
        """Refuse wrong rules when the DAG is parsed, as far as they wait for nothing."""
        if is_plain(self.rules) and is_plain(self.transformations):
            self._declared()

    def _require_reaction(self) -> None:
        if self.on_failure not in ON_FAILURE_CHOICES:
            what = f"on_failure={self.on_failure!r} is not possible"
            raise ConfigurationError(what, fix=f"use one of {', '.join(ON_FAILURE_CHOICES)}")
        if self.on_failure == "quarantine" and self.quarantine_bucket is None:
            what = "on_failure='quarantine' has no bucket to copy points to"
            raise ConfigurationError(what, fix="give quarantine_bucket")
        if self.on_failure == "branch" and not (
            self.follow_task_ids_if_valid or self.follow_task_ids_if_invalid
        ):
            what = "on_failure='branch' has no task to follow"
            raise ConfigurationError(what, fix="give follow_task_ids_if_valid or follow_task_ids_if_invalid")


def violated_message(result: Mapping[str, Any]) -> str:
    """One sentence with the violated rules."""
    violated = [one for one in result["rules"] if one["is_violated"] and one["severity"] == "error"]
    rules = [f"{one['rule']} ({one['violations']} {one['unit']})" for one in violated]
    named = few(rules, MAX_NAMED, between=", ")
    window = result["window"]
    return (
        f"{len(violated)} of {len(result['rules'])} rules are violated in {result['bucket']}/{result['measurement']} "
        f"of [{window['start']}, {window['stop']}): {named}; {result['quarantined']} values are in quarantine"
    )


def _is_path(rules: object) -> bool:
    """Whether it is a file's path and not yet its text."""
    return isinstance(rules, str) and "\n" not in rules and rules.endswith(RULE_FILES)
