"""Ask InfluxDB what the rules want to know, in as few queries as possible."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.exceptions import QueryLimitReached
from airflow_provider_influx_rollup.flux.field_glob import match_fields
from airflow_provider_influx_rollup.flux.inventory import SeriesSource
from airflow_provider_influx_rollup.flux.lateness_read import LateArrivals
from airflow_provider_influx_rollup.flux.validate import FieldExtremes, FieldLook, SeriesLooks, TotalLooks
from airflow_provider_influx_rollup.lifecycle.source.field_types import TYPE_OF_KIND
from airflow_provider_influx_rollup.lifecycle.source.inventory import Inventory
from airflow_provider_influx_rollup.lifecycle.source.inventory_read import read_expected
from airflow_provider_influx_rollup.lifecycle.source.value_groups import source_groups
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.step import Step
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.influx import FindBucket, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.validation.rule import NUMBERS
from airflow_provider_influx_rollup.validation.sightings import (
    COUNT,
    EXPECTED,
    LAST,
    LATE,
    TOTAL,
    TYPES,
    Look,
    Observations,
    Scope,
    Sighting,
)
from airflow_provider_influx_rollup.validation.value_rules import RangeRule
from airflow_provider_influx_rollup.windows.interval import Interval, storable_part
from airflow_provider_influx_rollup.windows.shards import shard_parts

MAX_LOOKS_PER_QUERY = 100

Answers = dict[Look, list[Sighting]]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring shard groups in which no field changes its type: one read may cover them.

    :param kinds: the types of the fields that have points in it
    :param points: how many points each field has
    """

    interval: Interval
    kinds: Mapping[str, str]
    points: Mapping[str, int]

    def count(self, fields: Iterable[str]) -> int:
        """Points that some fields have."""
        return sum(self.points.get(name, 0) for name in fields)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Counts from InfluxDB.

    :param stretches: the interval cut where a field changes its type, in order
    :param tag_keys: of the interval's series
    """

    seen: Observations
    stretches: tuple[Stretch, ...]
    tag_keys: frozenset[str]

    @property
    def points(self) -> int:
        """Points of the interval."""
        return sum(sighting.points for sighting in self.seen.census)


def look_around(spec: ValidateSpec, scope: Scope, shard_group_seconds: int) -> Steps[Surroundings]:
    """Count the series of the interval, and whatever else the rules ask for.

    :param shard_group_seconds: of the bucket; no query reads over the border of two shard groups
    """
    looks = looks_of(spec, scope)
    census, types, *_ = looks
    answers = yield from _answer(spec, looks, shard_group_seconds)
    kinds: dict[Interval, dict[str, str]] = {
        part: {} for part in shard_parts(scope.interval, shard_group_seconds)
    }
    for sighting in answers[types]:
        kinds[sighting.part][sighting.field] = sighting.kind
    found = sorted(answers[census], key=lambda one: (one.part, one.field, one.tags))
    typed = [replace(one, kind=kinds[one.part].get(one.field, "")) for one in found]
    keys = frozenset(key for tags in {one.tags for one in typed} for key, _ in tags)
    return Surroundings(Observations(scope, typed, answers), _stretches(kinds, typed), keys)


def count_series(spec: ValidateSpec, scope: Scope, shard_group_seconds: int) -> Steps[list[Sighting]]:
    """Count the points of the interval's series once more, without types.

    :param shard_group_seconds: of the bucket
    """
    census = Look(what=COUNT, interval=scope.interval)
    return (yield from _answer(spec, [census], shard_group_seconds))[census]


def looks_of(spec: ValidateSpec, scope: Scope) -> list[Look]:
    """All that is to be counted: the series of the interval, their types, and what the rules ask for."""
    census, types = Look(what=COUNT, interval=scope.interval), Look(what=TYPES, interval=scope.interval)
    of_rules = (look for rule in spec.series_rules for look in rule.looks(scope))
    return list(dict.fromkeys([census, types, *of_rules]))


def _stretches(
    kinds: Mapping[Interval, Mapping[str, str]], census: Iterable[Sighting]
) -> tuple[Stretch, ...]:
    """Join neighbours as long as the types agree.

    :param kinds: by part, in order
    """
    counts: dict[Interval, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in census:
        counts[one.part][one.field] += one.points
    joined: list[Stretch] = []
    for part, types in kinds.items():
        points = counts[part]
        if joined and all(joined[-1].kinds.get(name, kind) == kind for name, kind in types.items()):
            last = joined.pop()
            names = {*last.points, *points}
            points = {name: last.points.get(name, 0) + points.get(name, 0) for name in names}
            joined.append(Stretch(Interval(last.interval.start, part.stop), {**last.kinds, **types}, points))
        else:
            joined.append(Stretch(part, types, points))
    return tuple(joined)


def _answer(spec: ValidateSpec, looks: Sequence[Look], shard_group_seconds: int) -> Steps[Answers]:
    answers: Answers = {look: [] for look in looks}
    for look in looks:
        if look.what in (LATE, EXPECTED):
            answers[look] = yield from _late(spec, look) if look.what == LATE else _expected(spec, look)
    asked = _parts_asked(looks, shard_group_seconds)
    for answer in (yield from _answers_of(look_queries(spec, looks, shard_group_seconds))):
        for name, sightings in _read(answer, asked):
            wanted = match_fields(spec.fields, [one.field for one in sightings]) if spec.fields else None
            answers[asked[name][0]] += [one for one in sightings if wanted is None or one.field in wanted]
    return answers


def _answers_of(queries: Sequence[SeriesLooks | TotalLooks]) -> Steps[list[Any]]:
    """Ask all at the same time; where they reach a limit, one after the other, and series in groups."""
    steps: list[Step[Any]] = [*queries]
    try:
        return list((yield from gather(*steps)))
    except QueryLimitReached as error:
        yield from ask(Report(f"series are counted in groups: {error.what}", level="warning"))
    found: list[Any] = []
    for one in queries:
        if isinstance(one, SeriesLooks):
            found += yield from _look_in_parts(one)
        else:
            found.append((yield from ask(one)))
    return found


def _look_in_parts(query: SeriesLooks) -> Steps[list[list[Frame]]]:
    """Ask one look at a time, and each for groups of series where it reaches a limit too."""
    try:
        return [(yield from ask(query))]
    except QueryLimitReached:
        if len(query.looks) > 1:
            parts = [replace(query, looks=[look]) for look in query.looks]
        else:
            (_, interval, _) = query.looks[0]
            groups = yield from source_groups(query.source, interval)
            parts = [replace(query, source=one) for one in groups]
        if len(parts) < 2:
            raise
    found: list[list[Frame]] = []
    for part in parts:
        found += yield from _look_in_parts(part)
    return found


def look_queries(
    spec: ValidateSpec, looks: Sequence[Look], shard_group_seconds: int
) -> list[SeriesLooks | TotalLooks]:
    """The queries that count what is looked at in the source itself."""
    asked = _parts_asked(looks, shard_group_seconds)
    plain = [name for name, (look, _) in asked.items() if look.what == TOTAL]
    typed = [name for name in asked if name not in set(plain)]
    series = [SeriesLooks(spec.source, _named(asked, some)) for some in _blocks(typed)]
    return [*series, *(TotalLooks(spec.source, _named(asked, some)) for some in _blocks(plain))]


def _parts_asked(looks: Sequence[Look], shard_group_seconds: int) -> dict[str, tuple[Look, Interval]]:
    """The parts of the looks at the source, none over the border of two shard groups, by the names of their yields."""
    asked: dict[str, tuple[Look, Interval]] = {}
    for number, look in enumerate(looks):
        if look.what in (LATE, EXPECTED):
            continue
        parts = shard_parts(look.interval, shard_group_seconds) if look.is_cut else [look.interval]
        within = (storable_part(part) for part in parts)
        asked |= {f"{number}:{place}": (look, part) for place, part in enumerate(within) if part is not None}
    return asked


def _blocks(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + MAX_LOOKS_PER_QUERY] for start in range(0, len(names), MAX_LOOKS_PER_QUERY)]


def _named(
    asked: Mapping[str, tuple[Look, Interval]], names: Iterable[str]
) -> list[tuple[str, Interval, str]]:
    return [(asked[name][0].what, asked[name][1], name) for name in names]


def _read(
    answer: Sequence[Frame | FieldLook], asked: Mapping[str, tuple[Look, Interval]]
) -> Iterable[tuple[str, list[Sighting]]]:
    """Sightings of one answer, by the yield's name."""
    rows: dict[str, list[Sighting]] = defaultdict(list)
    for one in answer:
        if isinstance(one, Frame):
            look, part = asked[one.result]
            rows[one.result] += _sightings(look.what, part, one)
        else:
            _, part = asked[one.name]
            rows[one.name].append(Sighting(tags=(), field=one.field, part=part, points=one.points))
    return rows.items()


def _sightings(what: str, part: Interval, frame: Frame) -> list[Sighting]:
    kind = TYPE_OF_KIND[frame.values.dtype.kind]
    if what == TYPES:
        return [Sighting(tags=(), field=name, part=part, kind=kind) for name in frame.fields]
    names, tag_sets = frame.fields, frame.tag_sets
    numbers = frame.time_ns if what == LAST else frame.values
    found: dict[tuple[int, int], int] = {}
    for series, name, number in zip(
        frame.series.tolist(), frame.field.tolist(), numbers.tolist(), strict=True
    ):
        # a tag set may have several series keys, each with a row of its own
        known = found.setdefault((series, name), number if what == LAST else 0)
        found[series, name] = max(known, number) if what == LAST else known + number
    if what == LAST:
        return [
            Sighting(tags=tag_sets[s], field=names[n], part=part, kind=kind, points=1, last_ns=last)
            for (s, n), last in found.items()
        ]
    return [
        Sighting(tags=tag_sets[s], field=names[n], part=part, kind="", points=points)
        for (s, n), points in found.items()
    ]


def _late(spec: ValidateSpec, look: Look) -> Steps[list[Sighting]]:
    if (yield from ask(FindBucket(spec.ledger_bucket))) is None:
        return []
    late = yield from ask(LateArrivals(spec.ledger_bucket, look.pipeline, look.interval))
    mine = [one for one in late if one.measurement == spec.measurement]
    return [Sighting(tags=(), field="", part=look.interval, points=one.points) for one in mine]


def _expected(spec: ValidateSpec, look: Look) -> Steps[list[Sighting]]:
    asked = json.loads(look.inventory)
    source = SeriesSource(spec.bucket, spec.measurement, spec.fields, spec.tags)
    inventory = Inventory.from_json(asked["inventory"])
    series = yield from read_expected(inventory, source, look.interval, asked["group_by"])
    return [Sighting(tags=tags, field="", part=look.interval) for tags in series]


def fields_in_range(
    spec: ValidateSpec, candidates: Mapping[Interval, Stretch]
) -> Steps[dict[Interval, set[str]]]:
    """Of the fields that only ranges ask for, those whose least and greatest value are inside: they need no reading.

    :param candidates: stretches by their interval, each with these fields only
    """
    asked = {interval: sorted(one.kinds) for interval, one in candidates.items() if one.kinds}
    if not asked:
        return {}
    extremes: dict[tuple[Interval, str], list[float]] = defaultdict(list)
    query = FieldExtremes(spec.source, asked)
    for frame in (yield from ask(query)):
        interval = query.part_of(frame)
        for name, value in zip(frame.field.tolist(), frame.values.tolist(), strict=True):
            extremes[interval, frame.fields[name]].append(value)
    inside: dict[Interval, set[str]] = defaultdict(set)
    for (interval, name), values in extremes.items():
        rules = [one for one in spec.point_rules if isinstance(one, RangeRule) and one.is_about(name)]
        if all(rule.holds(min(values), max(values)) for rule in rules):
            inside[interval].add(name)
    return dict(inside)


def only_ranges(spec: ValidateSpec, name: str, kind: str) -> bool:
    """Whether all that is asked of a numeric field is the range of all its series."""
    asking = [rule for rule in spec.point_rules if rule.wants(name, kind)]
    return kind in NUMBERS and all(isinstance(rule, RangeRule) and not rule.where for rule in asking)
