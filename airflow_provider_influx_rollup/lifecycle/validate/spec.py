"""The spec of a validation, as plain values that travel as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.names import validate_name, validate_written_measurement
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.ledger.copies import CopiedTo
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET
from airflow_provider_influx_rollup.validation.catalog import require_distinct, rules_of
from airflow_provider_influx_rollup.validation.rule import PointRule, Rule, SeriesRule
from airflow_provider_influx_rollup.validation.transformations import Transformation, transformations_of
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

RULE_TAG = "violated_rule"
NAME_TAG = "validation"
# the worker then stays below 256 MB with its libraries, whatever the interval holds
MAX_ROWS_PER_READ = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateSpec:
    """One validation of one measurement.

    :param rules: with distinct names
    :param fields: field globs that are looked at; None takes all
    :param tags: tag values to keep, per tag key
    :param quarantine_bucket: where points that break a rule are copied to; None copies none
    :param clean_bucket: where the other points are written to, transformed; None writes none
    :param clean_measurement: their measurement; None keeps the source's
    :param transformations: in the order in which they are applied
    :param warm_up: how far before the interval to look for each series' last points, a Flux duration; None takes the
        interval's length, a day at most
    :param name: name in the results and in the quarantine; None makes one from bucket and measurement
    :param max_rows_per_read: most points that one read brings into the worker
    :param dry_run: judge, and write nothing
    :param known_as: the name that it had before its bucket was renamed, when it was given none
    """

    bucket: str
    measurement: str
    rules: tuple[Rule, ...]
    fields: tuple[str, ...] | None = None
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    quarantine_bucket: str | None = None
    clean_bucket: str | None = None
    clean_measurement: str | None = None
    transformations: tuple[Transformation, ...] = ()
    warm_up: str | None = None
    lateness: str = "0s"
    name: str | None = None
    ledger_bucket: str = DEFAULT_LEDGER_BUCKET
    max_rows_per_read: int = MAX_ROWS_PER_READ
    dry_run: bool = False
    known_as: str | None = None

    def __post_init__(self) -> None:
        named = (self.bucket, self.ledger_bucket, self.quarantine_bucket, self.clean_bucket)
        for bucket in named:
            if bucket is not None:
                validate_name("bucket", bucket)
        validate_name("measurement", self.measurement)
        for name in self._written():
            validate_written_measurement(name)
        validate_name("validation", self.validation_name)
        for tag, values in self.tags.items():
            validate_name("tag", tag)
            for value in values:
                if value:
                    validate_name("tag value", value)
        require_distinct(self.rules)
        Duration.of(self.lateness, allow_zero=True)
        if self.warm_up is not None:
            Duration.of(self.warm_up, allow_zero=True)
        self._require_places()

    def _written(self) -> list[str]:
        """The measurements that points are copied to."""
        copies = ((self.clean_bucket, self.output_measurement), (self.quarantine_bucket, self.measurement))
        return [measurement for bucket, measurement in copies if bucket is not None]

    def _require_places(self) -> None:
        """No bucket may be two things at once."""
        for role, bucket in (("quarantine_bucket", self.quarantine_bucket), ("bucket", self.bucket)):
            if bucket is not None and bucket == self.ledger_bucket:
                what = f"{role}={bucket!r} is the ledger"
                raise ConfigurationError(what, written="nothing", fix="choose another bucket")
        if self.quarantine_bucket is not None and self.quarantine_bucket in (self.bucket, self.clean_bucket):
            what = f"quarantine_bucket={self.quarantine_bucket!r} also holds the points that are right"
            raise ConfigurationError(what, written="nothing", fix="choose another bucket")
        if self.clean_bucket == self.ledger_bucket or (
            self.clean_bucket == self.bucket and self.output_measurement == self.measurement
        ):
            what = f"clean_bucket={self.clean_bucket!r} is the source or the ledger"
            raise ConfigurationError(
                what, written="nothing", fix="choose another clean_bucket or clean_measurement"
            )
        if self.clean_bucket is None and (self.transformations or self.clean_measurement):
            what = "transformations and clean_measurement need a clean_bucket"
            raise ConfigurationError(what, written="nothing", fix="give clean_bucket")

    @property
    def validation_name(self) -> str:
        """The name in results and quarantine."""
        return self.name or self.known_as or f"{self.bucket}/{self.measurement}"

    @property
    def copied_tags(self) -> Mapping[str, tuple[str, ...]]:
        """Tags of its copies in the quarantine, beside its name: one that was given none may share its name."""
        return self.tags if self.name is None else {}

    @property
    def output_measurement(self) -> str:
        """The measurement in the clean bucket."""
        return self.clean_measurement or self.measurement

    @property
    def source(self) -> RollupSource:
        """The place of the points."""
        return RollupSource(self.bucket, self.measurement, self.tags)

    def copied_to(self) -> list[CopiedTo]:
        """Places of copies of the points."""
        name, bucket, measurement = self.validation_name, self.bucket, self.measurement
        found = []
        if self.quarantine_bucket is not None:
            found.append(
                CopiedTo(
                    validation=name,
                    source_bucket=bucket,
                    source_measurement=measurement,
                    bucket=self.quarantine_bucket,
                    measurement=measurement,
                )
            )
        if self.clean_bucket is not None:
            changed = {key for one in self.transformations for key in one.changed_tags()}
            found.append(
                CopiedTo(
                    validation=name,
                    source_bucket=bucket,
                    source_measurement=measurement,
                    bucket=self.clean_bucket,
                    measurement=self.output_measurement,
                    changed_tags=tuple(sorted(changed)),
                )
            )
        return found

    @property
    def point_rules(self) -> tuple[PointRule, ...]:
        """The rules that look at points."""
        return tuple(rule for rule in self.rules if isinstance(rule, PointRule))

    @property
    def series_rules(self) -> tuple[SeriesRule, ...]:
        """The rules that are judged from counts."""
        return tuple(rule for rule in self.rules if isinstance(rule, SeriesRule))

    def at(self, interval: Interval) -> ValidateSpec:
        """The same with what users' functions say of an interval, so that it can travel as JSON.

        :raises RuleInvalid: when a function returns what is no series
        """
        rules = tuple(rule.at(interval) if isinstance(rule, SeriesRule) else rule for rule in self.rules)
        return replace(self, rules=rules)

    def as_json(self) -> dict[str, Any]:
        """Values for a trip through JSON."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["rules"] = [rule.as_json() for rule in self.rules]
        values["transformations"] = [change.as_json() for change in self.transformations]
        values["tags"] = {key: list(texts) for key, texts in self.tags.items()}
        values["fields"] = None if self.fields is None else list(self.fields)
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ValidateSpec:
        """Undo ``as_json``."""
        known = dict(values)
        known["rules"] = rules_of(known["rules"])
        known["transformations"] = transformations_of(known["transformations"])
        known["tags"] = {key: tuple(texts) for key, texts in known["tags"].items()}
        known["fields"] = None if known["fields"] is None else tuple(known["fields"])
        return cls(**known)
