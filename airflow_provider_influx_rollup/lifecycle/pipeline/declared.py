"""A lifecycle of tiers as plain values: raw points, the first tier, and tiers over tiers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from airflow_provider_influx_rollup.exceptions import ConfigurationError, RuleInvalid, WindowMisaligned
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_bucket import Bucket
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_ends import (
    Archive,
    AssetChoice,
    Deadman,
    Validation,
    require_named_assets,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_file import declared_of_text
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_measurements import (
    found_measurements,
    patterns_of,
    require_distinct,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_types import require_types
from airflow_provider_influx_rollup.lifecycle.pipeline.native_choice import require_native
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.tier_below import require_readable
from airflow_provider_influx_rollup.lifecycle.run.options import NATIVE, RollupOptions, texts_of
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.validation.rule_file import read_rule_file
from airflow_provider_influx_rollup.windows.duration import Duration, DurationLike, flux_text, keep_flux_texts
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.nesting import require_nested

if TYPE_CHECKING:
    from os import PathLike

Aggregates = Sequence[str] | Mapping[str, Sequence[str]]
LONGEST_MONTH = timedelta(days=31)
#: in the name of a tier, stands for the measurement
MEASUREMENT_IN_NAME = "{measurement}"
# days of a zone have up to 25 hours
CLOCK_CHANGE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Tier:
    """One rollup of a lifecycle.

    :param bucket: where its rows go; must exist
    :param every: length of a window, a Flux duration
    :param aggregates: names, or field glob to names, of the fields of the raw points; None takes those of the tier below
    :param timezone: IANA zone in which days, weeks, months and years begin
    :param offset: shift of the grid, a Flux duration
    :param retention: how long the bucket keeps its rows, a Flux duration; None forever
    :param lateness: how long after a window's stop its data may still come; the tiers above wait for it too
    :param name: the pipeline's name in the ledger, in which ``{measurement}`` is replaced; of several measurements it gets
        ``:<measurement>`` where that is not in it; default: made from the parameters
    :param compute: of the first tier, ``"auto"``, or ``"server"``: InfluxDB computes aggregates of the raw points too
    :param execution: of the first tier, ``"query"``, or ``"native"``: tasks of InfluxDB compute, and the triggerer waits
    :raises ConfigurationError: when a choice is not possible
    """

    bucket: str
    every: DurationLike
    aggregates: Aggregates | None = None
    timezone: str = "UTC"
    offset: DurationLike = "0s"
    retention: DurationLike | None = None
    lateness: DurationLike = "0s"
    name: str | None = None
    compute: Literal["auto", "server"] = "auto"
    execution: Literal["query", "native"] = "query"

    def __post_init__(self) -> None:
        require_types(self)
        keep_flux_texts(self, "every", "offset", "retention", "lateness")
        self.options()

    def options(self) -> RollupOptions:
        """The options of its runs, as far as a tier has any."""
        return RollupOptions(execution=self.execution)


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The tiers of a measurement, or of several, each made of the one before it.

    :param source_bucket: bucket of the raw points
    :param measurement: their measurement, or a list of them, each of which has tiers of its own. A pattern, such as ``*`` or
        ``cpu*``, stands for those that the bucket has in a run, and ``!internal*`` takes away from them
    :param tiers: from the finest to the coarsest, at least one
    :param fields: field globs of the raw points; None takes all
    :param tags: tag values to keep, per tag key
    :param group_by: tag keys that stay in the first tier, and so in all
    :param retention: how long the source bucket keeps its points, a Flux duration; None forever
    :param run_every: how far the runs of the DAG are apart, a Flux duration; None: as the DAG says, if it says so
    :param reconcile: how far back from now each run looks for late data, a Flux duration; None: not at all
    :param ledger_bucket: bucket of the receipts
    :param validation: what is checked before the first tier; None: nothing
    :param archive: where points are archived, and when they are purged; None: not at all
    :param deadman: which series are to be heard of; None: not watched
    :param buckets: buckets that are made and changed before anything else
    :param heal: how far before each run's interval windows that are not COMMITTED, or under an earlier declaration, are rolled
        up too, a Flux duration; None: not at all
    :param assets: what starts other DAGs: ``"windows"``: an event for the windows that a run changes; ``"partitions"``: one for
        each of them, which needs Airflow 3.3; None: nothing
    :raises ConfigurationError: when the tiers do not fit each other: parts that are missing, a retention that is
        shorter than the lag of the tier or of the next one, or than what is reconciled
    :raises WindowMisaligned: when the windows of a tier are not made of whole windows of the tier below
    """

    source_bucket: str
    measurement: str | Sequence[str]
    tiers: Sequence[Tier]
    fields: Sequence[str] | None = None
    tags: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    group_by: Sequence[str] | None = None
    retention: DurationLike | None = None
    run_every: DurationLike | None = None
    reconcile: DurationLike | None = None
    ledger_bucket: str = DEFAULT_LEDGER_BUCKET
    validation: Validation | None = None
    archive: Archive | None = None
    deadman: Deadman | None = None
    heal: DurationLike | None = None
    buckets: Sequence[Bucket] = ()
    assets: AssetChoice | None = None

    @classmethod
    def from_yaml(cls, path: str | PathLike[str]) -> Lifecycle:
        """The lifecycle that a file declares, the same in a DAG and for the command line.

        :param path: a file with the parameters, as YAML or JSON; the path of a file of rules in it begins at its folder
        :raises ConfigurationError: when it cannot be read, or a parameter is missing, unknown or wrong: with the line and the key
        :raises RuleInvalid: when a rule is not possible
        """
        name = str(path)
        return _with_rules(declared_of_text(cls, _text_of(name), name), name)

    def __post_init__(self) -> None:
        require_types(self)
        keep_flux_texts(self, "retention", "run_every", "reconcile", "heal")
        self._require_one_retention()
        if self.patterns or not isinstance(self.measurement, str):
            require_distinct(self.names)
            require_named_assets(self.assets, self.patterns)
            # patterns are names, as far as a declaration can be checked without the bucket
            self.each(self.patterns)
            return
        specs = self.specs()
        if not specs:
            what = f"the lifecycle of measurement {self.measurement!r} has no tier"
            raise ConfigurationError(what, written="nothing", fix="give tiers=[Tier(...), ...]")
        for below, above in pairwise(specs):
            require_readable(above, below, below.pipeline_name)
            _require_nested(below, above)
        for tier, spec in zip(self.tiers, specs, strict=True):
            _require_execution(tier, spec)
        self._require_own_buckets()
        self._require_purge_before_retention()
        self._require_reconcile_within_retention()
        if self.heal is not None:
            Duration.of(self.heal)
        self.require_kept(None if self.run_every is None else Duration.of(self.run_every).timedelta)

    @property
    def names(self) -> tuple[str, ...]:
        """The measurements as they are declared: names and patterns."""
        # texts_of would make plain texts of measurements that were found
        if isinstance(self.measurement, str):
            return (self.measurement,)
        texts_of(self.measurement, "measurement")
        return tuple(self.measurement)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The measurements that stand for those that the bucket has."""
        return patterns_of(self.names)

    @property
    def arrival_bucket(self) -> str:
        """The bucket where points arrive: that of the validation, when it has one of its own."""
        return (self.validation.bucket if self.validation else None) or self.source_bucket

    def each(self, known: Iterable[str] | None = None) -> list[Lifecycle]:
        """One lifecycle for each measurement; names of tiers get the measurement, as those of operators do.

        :param known: the measurements of the bucket, among which patterns choose
        :raises ConfigurationError: when there are patterns, and it is not known what they stand for
        """
        if not self.patterns and isinstance(self.measurement, str):
            return [self]
        if self.patterns and known is None:
            what = f"measurement {', '.join(map(repr, self.patterns))} stands for those that the bucket has in a run"
            raise ConfigurationError(what, written="nothing", fix="ask the bucket, or name the measurements")
        return [self.of_measurement(name) for name in found_measurements(self.names, known or ())]

    def of_measurement(self, name: str) -> Lifecycle:
        """The lifecycle of one of the measurements, which patterns may stand for."""
        if not self.patterns and isinstance(self.measurement, str):
            return self
        return replace(self, measurement=name, tiers=[_named_for(tier, name) for tier in self.tiers])

    def specs(self) -> list[RollupSpec]:
        """The rollups of each measurement, from the finest to the coarsest.

        :raises ConfigurationError: when there are patterns
        """
        if self.patterns or not isinstance(self.measurement, str):
            return [spec for one in self.each() for spec in one.specs()]
        specs: list[RollupSpec] = []
        aggregates: Aggregates = ()
        for tier in self.tiers:
            aggregates = aggregates if tier.aggregates is None else tier.aggregates
            specs.append(self._spec(tier, aggregates, specs[-1] if specs else None))
        return specs

    def _spec(self, tier: Tier, aggregates: Aggregates, below: RollupSpec | None) -> RollupSpec:
        # what the first tier selects is all that the others see
        is_first = below is None
        return RollupSpec(
            source_bucket=self.source_bucket if below is None else below.target_bucket,
            target_bucket=tier.bucket,
            measurement=str(self.measurement),
            grid=GridSpec(flux_text(tier.every), flux_text(tier.offset), tier.timezone),
            aggregates={glob: texts_of(names, "aggregates") for glob, names in aggregates.items()}
            if isinstance(aggregates, Mapping)
            else texts_of(aggregates, "aggregates"),
            fields=texts_of(self.fields, "fields") if is_first and self.fields is not None else None,
            tags={key: texts_of(values, f"tags[{key!r}]") for key, values in self.tags.items()}
            if is_first
            else {},
            group_by=texts_of(self.group_by, "group_by") if is_first and self.group_by is not None else None,
            lateness=flux_text(tier.lateness),
            compute=tier.compute,
            pipeline=_name_for(tier.name, str(self.measurement)),
            ledger_bucket=self.ledger_bucket,
            source_tier=None if below is None else below.pipeline_name,
        )

    def _require_one_retention(self) -> None:
        """A bucket keeps its points as long as both places say."""
        kept = {self.source_bucket: self.retention, **{tier.bucket: tier.retention for tier in self.tiers}}
        for one in self.buckets:
            told = kept.get(one.name)
            if told is not None and one.retention_seconds != int(shortest_length(told).total_seconds()):
                what = f"bucket {one.name!r} is to keep its points for {one.retention or 'ever'}, and for {told} elsewhere"
                raise ConfigurationError(what, written="nothing", fix="give it one retention")

    def buckets_used(self) -> list[str]:
        """The buckets that must exist: where points arrive, the source, and that of each tier."""
        arrival = [self.validation.bucket] if self.validation and self.validation.bucket else []
        return [*arrival, self.source_bucket, *(tier.bucket for tier in self.tiers)]

    def _require_own_buckets(self) -> None:
        buckets = self.buckets_used()
        doubled = sorted({bucket for bucket in buckets if buckets.count(bucket) > 1})
        if doubled:
            what = f"bucket {', '.join(doubled)} has more than one tier of measurement {self.measurement!r}"
            raise ConfigurationError(what, written="nothing", fix="give each tier a bucket of its own")

    def _require_purge_before_retention(self) -> None:
        """A bucket that drops its points before they are purged leaves nothing to purge, and no proof."""
        after, kept = self.archive.purge_after if self.archive else None, self.retention
        if after is not None and kept is not None and shortest_length(kept) <= shortest_length(after):
            what = f"bucket {self.source_bucket!r} drops its points after {kept}, before purge_after={after}"
            raise ConfigurationError(what, written="nothing", fix="keep them longer, or purge earlier")

    def _require_reconcile_within_retention(self) -> None:
        """A lookback beyond the retention is refused by every run."""
        if self.reconcile is None:
            return
        lookback = Duration.of(self.reconcile).timedelta
        if self.retention is not None and longest_length(self.retention) < lookback:
            what = (
                f"reconcile={self.reconcile} reaches further back than bucket {self.source_bucket!r} keeps its "
                f"points, which is {self.retention}"
            )
            raise ConfigurationError(what, written="nothing", fix=f"give at most {self.retention}")

    def require_kept(self, run_every: timedelta | None) -> None:
        """Refuse a bucket that drops rows before they are written, or before the next tier has read them.

        :param run_every: how far the runs are apart; None when unknown
        :raises ConfigurationError: naming the bucket and the lag
        """
        source, waited = (self.source_bucket, self.retention), timedelta()
        for tier, spec in zip(self.tiers, self.each(self.patterns)[0].specs(), strict=True):
            # a tier waits for all tiers below it, and these for their own lateness
            waited = max(waited, Duration.of(tier.lateness, allow_zero=True).timedelta)
            lag = longest_window(spec.grid.grid()) + waited + (run_every or timedelta())
            scheduled = f" + {run_every} between runs" if run_every else ""
            total = f"(a window of {tier.every} + lateness {_text(waited)}{scheduled})"
            use = f"the tier in bucket {tier.bucket!r} reads them up to {lag} after they were sent {total}"
            _require_kept(*source, lag, use)
            use = f"they are up to {lag} old when they are written {total}"
            _require_kept(tier.bucket, tier.retention, lag, use)
            source = (tier.bucket, tier.retention)


def _named_for(tier: Tier, measurement: str) -> Tier:
    if tier.name is None or MEASUREMENT_IN_NAME in tier.name:
        return tier
    return replace(tier, name=f"{tier.name}:{measurement}")


def _name_for(name: str | None, measurement: str) -> str | None:
    return None if name is None else name.replace(MEASUREMENT_IN_NAME, measurement)


def _text_of(path: str) -> str:
    try:
        # once, when a DAG is parsed or a command begins: verbs see values only
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - the core has no paths
            return file.read()
    except (OSError, ValueError) as error:
        what = f"the file {path!r} cannot be read"
        raise ConfigurationError(what, written="nothing", fix="name a file of YAML or JSON") from error


def _with_rules(lifecycle: Lifecycle, path: str) -> Lifecycle:
    """The same with the text of a file of rules, which is looked for beside the lifecycle's own file."""
    validation = lifecycle.validation
    if validation is None:
        return lifecycle
    rules = validation.rules
    if not isinstance(rules, str):
        try:
            rules_of(rules)
        except RuleInvalid as error:
            error.what = f"{path}, validation.rules: {error.what}"
            raise
        return lifecycle
    if "\n" in rules:
        read_rule_file(rules, f"{path}, validation.rules")
        return lifecycle
    folder, slash, _ = path.rpartition("/")
    beside = rules if rules.startswith("/") else f"{folder}{slash}{rules}"
    text = _text_of(beside)
    read_rule_file(text, beside)
    return replace(lifecycle, validation=replace(validation, rules=text))


def _require_kept(bucket: str, retention: DurationLike | None, lag: timedelta, use: str) -> None:
    if retention is not None and shortest_length(retention) < lag:
        what = f"bucket {bucket!r} keeps its rows for {retention}, but {use}"
        fix = f"keep them for at least {lag}, or give that tier shorter windows"
        raise ConfigurationError(what, written="nothing", fix=fix)


def shortest_length(duration: DurationLike) -> timedelta:
    """The shortest length of a duration; a month has 28 days, a year 365."""
    length = Duration.of(duration)
    if not length.months:
        return length.timedelta
    years, months = divmod(length.months, 12)
    return timedelta(days=365 * years + 28 * months)


def longest_length(duration: DurationLike) -> timedelta:
    """The longest length of a duration; a month has 31 days."""
    length = Duration.of(duration)
    return length.months * LONGEST_MONTH if length.months else length.timedelta


def longest_window(grid: Grid) -> timedelta:
    """The longest window of a grid."""
    if grid.every.months:
        return grid.every.months * LONGEST_MONTH + CLOCK_CHANGE
    return grid.every.timedelta + (CLOCK_CHANGE if grid.is_calendar else timedelta())


def _require_nested(below: RollupSpec, above: RollupSpec) -> None:
    try:
        require_nested(below.grid.grid(), above.grid.grid())
    except WindowMisaligned as error:
        error.what = (
            f"the tier of {above.grid.label} in bucket {above.target_bucket!r} cannot be made of the tier of "
            f"{below.grid.label} in bucket {below.target_bucket!r}: {error.what}"
        )
        raise


def _require_execution(tier: Tier, spec: RollupSpec) -> None:
    if tier.execution != NATIVE:
        return
    try:
        require_native(spec)
    except ConfigurationError as error:
        error.what = f"the tier of {spec.grid.label} in bucket {tier.bucket!r}: {error.what}"
        raise


def _text(length: timedelta) -> str:
    return Duration.of(length, allow_zero=True).to_flux()
