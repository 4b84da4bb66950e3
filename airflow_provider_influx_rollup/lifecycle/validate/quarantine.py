"""Copies of the points that break a rule: each once for each rule, and gone when the point is right again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidName, PartialWrite
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.validate import CopyCounts
from airflow_provider_influx_rollup.hashing import combine_checksums, text_hash
from airflow_provider_influx_rollup.ledger.line_protocol import (
    UInt,
    encode_field_key,
    encode_series,
    encode_value,
)
from airflow_provider_influx_rollup.lifecycle.validate.spec import NAME_TAG, RULE_TAG, ValidateSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Delete, Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.validation.points import Points, Registry
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(kw_only=True)
class Copies:
    """Makes line protocol for the quarantine, line by line: a rule may be broken by every point.

    :param unheld: points that line protocol cannot hold, such as a tag with a line break
    :param checksum: of all points that break a rule, 16 hex digits
    """

    spec: ValidateSpec
    registry: Registry
    unheld: int = 0
    checksum: str = ""
    _heads: dict[tuple[str, str, int], str | None] = field(default_factory=dict)

    def holdable(self, rule: str, points: Points) -> Points:
        """The points that line protocol can hold, one of each time; those that it cannot are counted."""
        points = points.first_of_each_time()
        held = {number: self._head(rule, points.field, number) for number in set(points.series.tolist())}
        if None not in held.values():
            return points
        kept = points.where(np.array([held[number] is not None for number in points.series.tolist()], bool))
        self.unheld += len(points) - len(kept)
        return kept

    def count(self, rule: str, tables: Sequence[Points]) -> None:
        """Add points that break a rule to the checksum."""
        found = [points.checksum(self.registry.tag_sets) for points in tables if len(points)]
        if found:
            self.checksum = combine_checksums(
                [self.checksum, f"{text_hash(rule + ''.join(found), RULE_TAG):016x}"]
            )

    def lines(self, rule: str, tables: Iterable[Points]) -> Iterator[str]:
        """Copies of points that line protocol can hold."""
        for points in tables:
            values: Iterable[Any] = points.values.tolist()
            if points.kind == "unsigned":
                values = map(UInt, values)
            places = zip(points.series.tolist(), points.time_ns.tolist(), values, strict=True)
            for series, time_ns, value in places:
                head = self._head(rule, points.field, series)
                yield f"{head}{encode_value(points.field, value)} {time_ns}"

    def _head(self, rule: str, name: str, series: int) -> str | None:
        key = rule, name, series
        if key not in self._heads:
            tags = dict(self.registry.tag_sets[series])
            tags |= {RULE_TAG: rule, NAME_TAG: self.spec.validation_name}
            try:
                head = encode_series(self.spec.measurement, tags, [name])
                self._heads[key] = f"{head} {encode_field_key(name)}="
            except InvalidName:
                self._heads[key] = None
        return self._heads[key]


def require_free_tags(tag_keys: Iterable[str]) -> None:
    """Refuse a source that has the quarantine's own tags.

    :raises ConfigurationError: when it has
    """
    taken = {RULE_TAG, NAME_TAG} & set(tag_keys)
    if taken:
        what = f"the points have a tag {min(taken)!r}, which the quarantine needs for itself"
        raise ConfigurationError(
            what, written="nothing", fix="rename the tag, or leave quarantine_bucket out"
        )


def quarantine(
    copies: Copies,
    interval: Interval,
    wrong: Mapping[str, Sequence[Points]],
    *,
    only: str | None = None,
    but: frozenset[str] = frozenset(),
) -> Steps[None]:
    """Make the quarantine of an interval hold these points and no others of this validation.

    Written first and counted then: where a rule has more than was written, what it has is deleted and written again.

    :param wrong: points that break a rule and can be held, by rule
    :param only: the only rule that is about the interval
    :param but: rules whose copies are left alone here
    :raises PartialWrite: when points are missing after all
    """
    spec, bucket = copies.spec, str(copies.spec.quarantine_bucket)
    expected = {rule: sum(map(len, tables)) for rule, tables in wrong.items()}
    for rule, tables in wrong.items():
        copies.count(rule, tables)
        if expected[rule]:
            yield from ask(Write(bucket, copies.lines(rule, tables)))
    stored = yield from _stored(spec, interval)
    ours = {rule: count for rule, count in stored.items() if rule not in but and only in (None, rule)}
    for rule, count in sorted(ours.items()):
        gone = count - expected.get(rule, 0)
        if gone > 0:
            yield from ask(
                Report(f"Removing {gone} values of rule {rule} from {bucket}: they do not break it any more")
            )
            yield from _delete(spec, interval, rule)
            if expected.get(rule):
                yield from ask(Write(bucket, copies.lines(rule, wrong[rule])))
    short = [rule for rule, count in expected.items() if stored.get(rule, 0) < count]
    if short:
        what = f"bucket {bucket!r} lacks values of {', '.join(sorted(short))} that were written"
        fix = "run it again; look at the bucket's retention"
        raise PartialWrite(what, window=interval, written="the quarantine in part", fix=fix)


def copies_beside(spec: ValidateSpec, interval: Interval) -> Steps[int]:
    """Values in the quarantine that have the name of a validation, and tags that it does not choose."""
    named = RollupSource(str(spec.quarantine_bucket), spec.measurement, {NAME_TAG: (spec.validation_name,)})
    there = yield from ask(CopyCounts(named, interval, RULE_TAG))
    return sum(there.values()) - sum((yield from _stored(spec, interval)).values())


def _stored(spec: ValidateSpec, interval: Interval) -> Steps[dict[str, int]]:
    own = {NAME_TAG: (spec.validation_name,), **spec.copied_tags}
    copies = RollupSource(str(spec.quarantine_bucket), spec.measurement, own)
    return (yield from ask(CopyCounts(copies, interval, RULE_TAG)))


def _delete(spec: ValidateSpec, interval: Interval, rule: str) -> Steps[None]:
    """Delete the copies of a rule."""
    own, bucket = spec.copied_tags, str(spec.quarantine_bucket)
    for values in product(*own.values()):
        chosen = dict(zip(own, values, strict=True))
        tags = {key: value for key, value in chosen.items() if value}
        tags |= {NAME_TAG: spec.validation_name, RULE_TAG: rule}
        lacking = tuple(key for key, value in chosen.items() if not value)
        yield from ask(Delete(bucket, interval, spec.measurement, tags, lacking=lacking))
