"""The spec of a rollup, as plain values that travel as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from airflow_provider_influx_rollup.aggregates.catalog import find_aggregate
from airflow_provider_influx_rollup.aggregates.hierarchy import require_mergeable_names
from airflow_provider_influx_rollup.aggregates.selection import AggregateRules
from airflow_provider_influx_rollup.exceptions import AggregateNotMergeable, ConfigurationError, InvalidName
from airflow_provider_influx_rollup.flux.names import validate_name, validate_written_measurement
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET
from airflow_provider_influx_rollup.lifecycle.run.default_names import (
    MAX_PIPELINE_BYTES,
    filter_text,
    is_held,
    is_short_name,
    short_filter_text,
)
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid

COMPUTE_CHOICES = ("auto", "server")
# what only the ledger says of a spec
OF_LEDGER = ("hashed_as", "known_as")
EMPTY_CHOICES = ("commit", "skip", "fail")


@dataclass(frozen=True, slots=True)
class GridSpec:
    """The windows of a stage, as the user wrote them."""

    every: str
    offset: str = "0s"
    timezone: str = "UTC"
    period: str | None = None

    def grid(self) -> Grid:
        """Build the grid.

        :raises InvalidDuration: when a duration is not a Flux duration
        :raises InvalidTimezone: when the zone is unknown
        """
        return _grid_of(self.every, self.offset, self.timezone, self.period)

    @property
    def label(self) -> str:
        """Short text for names: ``1h``, ``1d@Europe/Berlin``, ``1h/3h``."""
        parts = self.every + (f"/{self.period}" if self.period else "")
        parts += f"+{self.offset}" if self.offset not in ("0s", "") else ""
        return parts + (f"@{self.timezone}" if self.timezone != "UTC" else "")


# no slots: what is made of a spec is made once
@dataclass(frozen=True, kw_only=True)
class RollupSpec:
    """One rollup of one measurement.

    :param aggregates: names for all fields, or per field glob
    :param fields: field globs; None takes all
    :param tags: tag values to keep, per tag key
    :param group_by: tag keys that stay; the series they merge are merged exactly
    :param lateness: how long after a window's stop its data may still come
    :param compute: ``"auto"`` computes what InfluxDB cannot push down in the worker, ``"server"`` in InfluxDB
    :param empty_windows: what a window without any point does: ``"commit"``, ``"skip"`` or ``"fail"``
    :param max_rows_per_read: most raw points that one read brings into the worker
    :param source_tier: pipeline that writes the source, whose rows are merged; ``"auto"`` finds it in the ledger;
        None reads raw points
    :param hashed_as: what the hash calls the source and the target bucket, when that is not their names; only the ledger
        knows it
    :param known_as: name of the pipeline in the ledger, when it is another one than would be made of the parameters now
    """

    source_bucket: str
    target_bucket: str
    measurement: str
    grid: GridSpec
    aggregates: Mapping[str, tuple[str, ...]] | tuple[str, ...]
    fields: tuple[str, ...] | None = None
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group_by: tuple[str, ...] | None = None
    target_measurement: str | None = None
    lateness: str = "0s"
    compute: str = "auto"
    empty_windows: str = "commit"
    pipeline: str | None = None
    ledger_bucket: str = DEFAULT_LEDGER_BUCKET
    max_rows_per_read: int = 5_000_000
    source_tier: str | None = None
    hashed_as: tuple[str, ...] | None = None
    known_as: str | None = None

    def __post_init__(self) -> None:
        for bucket in (self.source_bucket, self.target_bucket, self.ledger_bucket):
            validate_name("bucket", bucket)
        validate_name("measurement", self.measurement)
        validate_written_measurement(self.output_measurement)
        for tag in (*self.tags, *(self.group_by or ())):
            validate_name("tag", tag)
        for tag, values in self.tags.items():
            _require_texts(tag, values)
        for name in self.rules().exact_names():
            validate_name("field", name)
        self.grid.grid()
        Duration.of(self.lateness, allow_zero=True).timedelta  # noqa: B018 - refuses months
        _require_choice("compute", self.compute, COMPUTE_CHOICES)
        _require_choice("empty_windows", self.empty_windows, EMPTY_CHOICES)
        if not is_held(self.pipeline_name):
            what = f"the pipeline's name would be {self.pipeline_name!r}, with a line's end, NUL or a backslash at its end"
            raise InvalidName(what, written="nothing", fix="give pipeline a name without it")
        self._require_distinct_target()
        self._require_mergeable()
        self._require_tier()
        self._require_computable()

    def _require_distinct_target(self) -> None:
        same = self.source_bucket == self.target_bucket and self.measurement == self.output_measurement
        if same:
            what = (
                f"the target is the source: bucket {self.target_bucket!r}, measurement {self.measurement!r}"
            )
            raise ConfigurationError(
                what, written="nothing", fix="set another target_bucket or target_measurement"
            )
        if self.ledger_bucket in (self.source_bucket, self.target_bucket):
            what = f"bucket {self.ledger_bucket!r} is the ledger and cannot also be a source or a target"
            raise ConfigurationError(what, written="nothing", fix="choose another bucket")

    def _require_mergeable(self) -> None:
        """A merge over series needs parts that merge exactly."""
        if self.group_by is None:
            return
        for name in self.rules().all_names():
            aggregate = find_aggregate(name)
            if not aggregate.mergeable and aggregate.sketch is None:
                reason = "its parts do not merge into the whole"
                what = f"{name} cannot be computed with group_by: {reason}"
                fix = "use count, sum, min, max, first, last, p99_approx, distinct_approx; a mean is sum / count"
                raise AggregateNotMergeable(what, written="nothing", fix=fix)

    def _require_tier(self) -> None:
        """A tier over a tier merges what is there: the tier below has decided which series and points count."""
        if self.source_tier is None:
            return
        if self.source_tier == self.pipeline_name:
            what = f"pipeline {self.pipeline_name!r} is its own source_tier"
            raise ConfigurationError(what, written="nothing", fix="name the pipeline below")
        merging = {"group_by": self.group_by is not None, "period": self.grid.period is not None}
        for name in (name for name, is_given in merging.items() if is_given):
            what = f"{name} is not possible with source_tier: the rows of a tier are merged over windows only"
            fix = f"give {name} to the lowest tier, or roll up the raw points without source_tier"
            raise ConfigurationError(what, written="nothing", fix=fix)
        if self.compute == "server":
            what = 'compute="server" is not possible with source_tier: what InfluxDB merges is put together in the worker'
            raise ConfigurationError(what, written="nothing", fix="leave compute out")
        require_mergeable_names(self.rules())

    def _require_computable(self) -> None:
        """Some aggregates have no Flux."""
        only_worker = [name for name in self.rules().all_names() if not find_aggregate(name).flux]
        if self.compute == "server" and only_worker:
            what = f'{", ".join(only_worker)} cannot be computed with compute="server": Flux has no such function'
            raise ConfigurationError(what, written="nothing", fix="leave compute out")

    def rules(self) -> AggregateRules:
        """The aggregates of each field."""
        return self._rules

    @cached_property
    def _rules(self) -> AggregateRules:
        return AggregateRules.of(self.aggregates, self.fields)

    @property
    def output_measurement(self) -> str:
        """Measurement in the target."""
        return self.target_measurement or self.measurement

    @property
    def pipeline_name(self) -> str:
        """Name in the ledger: given, or ``<source>/<measurement>-><target>@<grid>`` with the tag filter, or its hash."""
        if self.known_as or self.pipeline:
            return str(self.known_as or self.pipeline)
        target = self.target_bucket
        if self.output_measurement != self.measurement:
            target += f"/{self.output_measurement}"
        chosen = filter_text(self.tags)
        kept = ",".join(sorted(self.group_by or ())) or "nothing"
        grouped = "" if self.group_by is None else f" by {kept}"
        filtered = "{" + chosen + "}" if chosen else ""
        begin, end = f"{self.source_bucket}/{self.measurement}", f"->{target}@{self.grid.label}{grouped}"
        name = f"{begin}{filtered}{end}"
        if not self.tags or is_short_name(name, MAX_PIPELINE_BYTES):
            return name
        return f"{begin}{{{short_filter_text(self.tags)}}}{end}"

    def as_json(self) -> dict[str, Any]:
        """Plain values, for triggers and for the ledger."""
        values = asdict(self)
        return {key: value for key, value in values.items() if key not in OF_LEDGER or value is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RollupSpec:
        """Undo ``as_json``, also after a trip through JSON."""
        fixed = dict(values)
        fixed["grid"] = GridSpec(**fixed["grid"])
        aggregates = fixed["aggregates"]
        if isinstance(aggregates, Mapping):
            fixed["aggregates"] = {glob: tuple(names) for glob, names in aggregates.items()}
        else:
            fixed["aggregates"] = tuple(aggregates)
        fixed["tags"] = {key: tuple(chosen) for key, chosen in fixed["tags"].items()}
        for name in ("fields", "group_by", "hashed_as"):
            fixed[name] = None if fixed.get(name) is None else tuple(fixed[name])
        return cls(**fixed)

    def spec_hash(self) -> str:
        """Hash of what decides the rows: a change makes windows dirty. How it is computed is not part of it."""
        return self._hash

    @cached_property
    def _hash(self) -> str:
        decides = {key: value for key, value in self.as_json().items() if key not in NOT_IN_HASH}
        if self.source_tier is None:
            del decides["source_tier"]  # so that raw rollups keep the hash they had before there were tiers
        if self.hashed_as is not None:
            decides["source_bucket"], decides["target_bucket"] = self.hashed_as
        text = json.dumps(decides, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=256)
def _grid_of(every: str, offset: str, timezone: str, period: str | None) -> Grid:
    return Grid.of(every, offset=offset, timezone=timezone, period=period)


# a tier that finds its lower one by the bucket and measurement that it reads
AUTO = "auto"

NOT_IN_HASH = frozenset(
    {"lateness", "compute", "empty_windows", "pipeline", "ledger_bucket", "max_rows_per_read", *OF_LEDGER}
)


def _require_texts(tag: str, values: tuple[str, ...]) -> None:
    if not values or not all(isinstance(value, str) for value in values):
        what = f"tag {tag!r} is to have one of {list(values)!r}: tag values are texts, at least one"
        raise ConfigurationError(what, written="nothing", fix=f'give texts, such as tags={{"{tag}": ["a"]}}')


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        what = f"{name}={value!r} is not possible"
        raise ConfigurationError(what, written="nothing", fix=f"use one of {', '.join(choices)}")
