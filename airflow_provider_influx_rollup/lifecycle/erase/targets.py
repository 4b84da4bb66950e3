"""The pipelines that hold what was made of the series: which rows go, which are computed again, which must stay."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.target_read import TargetValues
from airflow_provider_influx_rollup.lifecycle.erase.found import ErasureFindings, Holding
from airflow_provider_influx_rollup.lifecycle.erase.source import find_matching, source_of
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.claims import Claim
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import (
    children_of,
    find_pipeline,
    rollups_in_force,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.target.values_read import read_values
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.coverage import merge
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, from_ns

TARGET = "target"
EMPTY: Mapping[str, str] = {}
COUNT_SUFFIX = "_count"
AGGREGATED = "aggregated over the tag"
SHARED = "another pipeline writes to the same measurement"
NOT_NAMED = "pipelines= does not name it"
SCRIPT = "a script of its own, whose rows only the script can compute again"


@dataclass(frozen=True)
class Reader:
    """A pipeline that holds what was made of the measurement.

    :param why: why they cannot be deleted by them; empty when they can
    :param is_earlier: it writes to another target now
    """

    rollup: RollupSpec
    why: str = ""
    is_earlier: bool = False

    @property
    def name(self) -> str:
        """Name of the pipeline."""
        return self.rollup.pipeline_name

    @property
    def place(self) -> tuple[str, str]:
        """Bucket and measurement of its rows."""
        return self.rollup.target_bucket, self.rollup.output_measurement


@dataclass(frozen=True)
class Readers:
    """All pipelines that hold what was made of the measurement, each after those that it reads.

    :param left: names of those that are left alone, with the reason
    """

    chosen: tuple[Reader, ...]
    left: Mapping[str, str]

    @property
    def scripts(self) -> list[str]:
        """Scripts that may read the measurement."""
        return sorted(name for name, why in self.left.items() if why == SCRIPT)

    def places(self) -> list[tuple[str, str]]:
        """Interval in which rows are deleted by their tags."""
        return sorted({one.place for one in self.chosen if not one.why})

    @property
    def not_by_tags(self) -> dict[str, str]:
        """The pipelines whose rows are not deleted by their tags, with the reason."""
        return {**{one.name: one.why for one in self.chosen if one.why}, **self.left}

    def at(self, place: tuple[str, str]) -> list[Reader]:
        """The pipelines whose rows are there."""
        return [one for one in self.chosen if one.place == place]


def find_readers(spec: EraseSpec, stored: Sequence[StoredSpec], others: Mapping[str, str] = EMPTY) -> Readers:
    """The pipelines that read the measurement or copies of it, and all tiers made of theirs; no scripts yet.

    :param stored: the specs of the ledger, the last used first
    :param others: what else is left alone, with the reason
    :raises ConfigurationError: when ``pipelines`` names one that does not
    """
    pipelines = rollups_in_force(stored)
    found: dict[str, RollupSpec] = {}
    keys: dict[str, frozenset[str] | None] = {}
    waiting = [one for one in pipelines.values() if (one.source_bucket, one.measurement) in spec.sources]
    while waiting:
        rollup = waiting.pop(0)
        name = rollup.pipeline_name
        if name in found or not _may_hold(spec, rollup):
            continue
        found[name] = rollup
        keys[name] = _kept_keys(rollup, _parents_keys(rollup, found, keys))
        waiting += children_of(rollup, pipelines)
    _require_known(spec, found, stored)
    shared = {
        (one.target_bucket, one.output_measurement) for name, one in pipelines.items() if name not in found
    }
    readers = [_reader(spec, rollup, keys[name], shared) for name, rollup in found.items()]
    readers += _earlier(spec, stored, found, keys, shared)
    is_wanted = {one.name: spec.pipelines is None or one.name in spec.pipelines for one in readers}
    left = {name: NOT_NAMED for name, is_named in is_wanted.items() if not is_named}
    left |= dict(others)
    # rows that are deleted by their tags first: what is computed again may read them
    chosen = sorted((one for one in readers if is_wanted[one.name]), key=lambda one: bool(one.why))
    return Readers(tuple(chosen), left)


def _earlier(
    spec: EraseSpec,
    stored: Sequence[StoredSpec],
    found: Mapping[str, RollupSpec],
    keys: Mapping[str, frozenset[str] | None],
    shared: set[tuple[str, str]],
) -> list[Reader]:
    """Targets that pipelines had under earlier specs: what they wrote there stays."""
    known = {(one.target_bucket, one.output_measurement) for one in found.values()}
    readers = []
    for one in stored:
        if one.is_script:
            continue
        rollup = one.rollup()
        place = (rollup.target_bucket, rollup.output_measurement)
        if place in known or not _may_hold(spec, rollup):
            continue
        is_direct = (rollup.source_bucket, rollup.measurement) in spec.sources
        below = None if is_direct else _parents_keys(rollup, found, keys)
        if is_direct or rollup.source_tier in found or _reads_one(rollup, found):
            known.add(place)
            reader = _reader(spec, rollup, _kept_keys(rollup, below), shared)
            readers.append(replace(reader, is_earlier=True))
    return readers


def _reads_one(rollup: RollupSpec, found: Mapping[str, RollupSpec]) -> bool:
    places = {(one.target_bucket, one.output_measurement) for one in found.values()}
    return (rollup.source_bucket, rollup.measurement) in places


def _may_hold(spec: EraseSpec, rollup: RollupSpec) -> bool:
    """A filter may leave the series out."""
    return all(spec.tags[key] in values for key, values in rollup.tags.items() if key in spec.tags)


def _kept_keys(rollup: RollupSpec, below: frozenset[str] | None) -> frozenset[str] | None:
    """The tag keys of its rows; None for all."""
    if rollup.group_by is None:
        return below
    own = frozenset(rollup.group_by)
    return own if below is None else own & below


def _parents_keys(
    rollup: RollupSpec, found: Mapping[str, RollupSpec], keys: Mapping[str, frozenset[str] | None]
) -> frozenset[str] | None:
    """The tag keys of what it reads."""
    for name, other in found.items():
        if name == rollup.pipeline_name or name not in keys:
            continue
        reads = (rollup.source_bucket, rollup.measurement) == (other.target_bucket, other.output_measurement)
        if rollup.source_tier == name or reads:
            return keys[name]
    return None


def _reader(
    spec: EraseSpec, rollup: RollupSpec, keys: frozenset[str] | None, shared: set[tuple[str, str]]
) -> Reader:
    keeps = keys is None or set(spec.tags) <= keys
    if not keeps:
        return Reader(rollup, AGGREGATED)
    is_shared = (rollup.target_bucket, rollup.output_measurement) in shared
    return Reader(rollup, SHARED if is_shared else "")


def _require_known(spec: EraseSpec, found: Mapping[str, RollupSpec], stored: Sequence[StoredSpec]) -> None:
    for name in spec.pipelines or ():
        if name in found:
            continue
        rollup = find_pipeline(name, spec.archive.ledger_bucket, stored)
        what = f"pipeline {name!r} holds nothing of these series: it is made of {rollup.source_bucket}/{rollup.measurement}"
        fix = "leave it out, or leave pipelines out: then all that hold something are found"
        raise ConfigurationError(what, written="nothing", fix=fix)


def naming_specs(spec: EraseSpec, stored: Sequence[StoredSpec]) -> list[str]:
    """The pipelines whose spec in the ledger names a value of the tags, without the values.

    A filter by the tag names it, or the text of a script.
    """
    found = set()
    for one in stored:
        chosen, script = one.values.get("tags") or {}, one.values.get("script")
        in_filter = any(value in chosen.get(key, ()) for key, value in spec.tags.items())
        quoted = (json.dumps(value, ensure_ascii=False) for value in spec.tags.values())
        if in_filter or (isinstance(script, str) and any(text in script for text in quoted)):
            found.add(spec.shown(one.pipeline))
    return sorted(found)


def find_rows(
    spec: EraseSpec, readers: Readers, place: tuple[str, str]
) -> Steps[tuple[Holding, dict[str, dict[int, int]]]]:
    """The rows of the series in a target, as far as they are deleted by their tags.

    :return: what is there, and of each pipeline the starts of its windows in nanoseconds, with the number of points that
        the rows stand for
    """
    here = [one for one in readers.at(place) if not one.why]
    names = [one.name for one in here]
    details = {"bucket": place[0], "measurement": place[1], "pipelines": names}
    name = place_name(place)
    reach = reach_of(spec, readers, place)
    bucket = yield from ask(FindBucket(place[0]))
    if bucket is None or reach is None:
        return Holding(name, Fingerprint(), 0, details), {}
    found = yield from find_matching(
        bucket, source_of(*place, spec.tags), reach, spec.archive.max_rows_per_read
    )
    windows: dict[str, Counter[int]] = {one: Counter() for one in names}
    for span in found.spans:
        values = TargetValues(bucket=place[0], measurement=place[1], interval=span, tags=spec.filters)
        for frame in (yield from read_values(values)):
            for one in here:
                windows[one.name].update(_points_by_window(one.rollup, frame))
    return Holding.of(name, found.points, **details), {one: dict(held) for one, held in windows.items()}


def place_name(place: tuple[str, str]) -> str:
    """Name of a target in the findings."""
    return f"{TARGET} {place[0]}/{place[1]}"


def reach_of(spec: EraseSpec, readers: Readers, place: tuple[str, str]) -> Interval | None:
    """Interval in which rows are deleted by their tags: windows that lie in it as a whole; None for nowhere."""
    if spec.interval is None:
        return EVER
    start, stop = spec.interval.start, spec.interval.stop
    for reader in readers.at(place):
        grid = reader.rollup.grid.grid()
        if grid.is_sliding:
            return None  # they are computed again
        start, stop = max(start, grid.ceil(spec.interval.start)), min(stop, grid.floor(spec.interval.stop))
    return Interval(start, stop) if start < stop else None


def written_spans(readers: Readers, place: tuple[str, str], found: ErasureFindings) -> tuple[Interval, ...]:
    """Parts of time in which a run may have read points of the series, or rows of a target that it is about to write back."""
    windows = [
        Interval(start, one.rollup.grid.grid().ceil(start + MICROSECOND))
        for one in readers.at(place)
        for start in map(from_ns, found.rows.get(one.name, ()))
    ]
    return tuple(merge((*found.spans, *windows)))


def _points_by_window(rollup: RollupSpec, frame: Frame) -> Counter[int]:
    """The windows of some rows, with the points that counts among them stand for."""
    windows: Counter[int] = Counter()
    owned = Claim.of(rollup).rules
    for name in frame.fields:
        column = frame.of_field(name)
        # rows of another pipeline may be of one that nobody knew when they were looked for
        is_count = owned.owns(name) and name.endswith(COUNT_SUFFIX) and column.values.dtype.kind in "iu"
        for start, value in zip(column.time_ns.tolist(), column.values.tolist(), strict=True):
            windows[start] += int(value) if is_count else 0
    return windows
