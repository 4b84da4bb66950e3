"""Values of other pipelines that a delete removes too: set aside in the ledger before it, written again after it.

InfluxDB deletes whole points, and a run may die between a delete and the write that follows. The pipeline's own rows
come back with its rerun; those of others would be lost, so they are kept in the ledger until they are back.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from airflow_provider_influx_rollup.aggregates.frame import Frame, TagSet
from airflow_provider_influx_rollup.flux.ledger_read import SET_ASIDE_MEASUREMENT, SetAside, SetAsideRecords
from airflow_provider_influx_rollup.flux.target_read import TargetValues
from airflow_provider_influx_rollup.ledger.line_protocol import UInt, encode_line
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.neighbours import (
    Commits,
    instant_of,
    seen_by_both,
    tear,
    with_neighbours,
)
from airflow_provider_influx_rollup.lifecycle.target.write import write_of_points
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Delete, Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns

RECORD = "record"
VALUES_PER_PART = 200
# InfluxDB promises 64 KiB for a string; the server takes up to 1 MiB
CHARACTERS_PER_PART = 50_000

PointKey = tuple[TagSet, int]
Points = dict[PointKey, dict[str, Any]]


def points_of(frames: Iterable[Frame]) -> Points:
    """Values by tag set, time and field."""
    points: Points = defaultdict(dict)
    for frame in frames:
        is_unsigned = frame.values.dtype.kind == "u"
        for row, value in enumerate(frame.values.tolist()):
            key = frame.tag_sets[frame.series[row]], int(frame.time_ns[row])
            points[key][frame.fields[frame.field[row]]] = UInt(value) if is_unsigned else value
    return points


def several_values(frames: Iterable[Frame]) -> set[tuple[PointKey, str]]:
    """The points and fields that are there with several values: InfluxDB may hold a tag set under several series keys."""
    seen: dict[tuple[PointKey, str], Any] = {}
    several = set()
    for frame in frames:
        for row, value in enumerate(frame.values.tolist()):
            point = frame.tag_sets[frame.series[row]], int(frame.time_ns[row])
            key = point, frame.fields[frame.field[row]]
            if seen.setdefault(key, value) != value:
                several.add(key)
    return several


@dataclass(slots=True)
class Aside:
    """What runs have put aside of a window.

    :param commits: those that all of them saw; None before there is a record
    :param claims: of these runs
    """

    points: Points = field(default_factory=lambda: defaultdict(dict))
    commits: Commits | None = None
    claims: set[str] = field(default_factory=set)

    def add(self, record: SetAside) -> None:
        """Take the values of a record."""
        seen = _add_record(self.points, record.text)
        self.commits = seen if self.commits is None else seen_by_both(self.commits, seen)
        self.claims.add(record.claim_id)


def put_aside(
    job: RollupBlock, claim_id: str, window: Interval, points: Points, commits: Commits
) -> Steps[None]:
    """Keep values in the ledger until they are forgotten.

    :param claim_id: of the run, whose records no other run of the pipeline writes over
    :param points: none when there are no values of others yet: then the record tells what they had COMMITTED
    :param commits: of the pipelines that write to the same points, before the values were read
    """
    yield from ask(Write(job.spec.ledger_bucket, list(_records(job, claim_id, window, points, commits))))


def put_aside_by_anyone(job: RollupBlock, window: Interval) -> Steps[Aside]:
    """The values at a window's start that some run has put aside and not written back yet, or died before it did."""
    aside = Aside()
    for record in (yield from ask(SetAsideRecords(job.spec.ledger_bucket, None, instant_of(window)))):
        aside.add(record)
    return aside


def forget(job: RollupBlock, window: Interval, claim_id: str) -> Steps[None]:
    """The values that a run has put aside are back in the target.

    :param claim_id: of that run; what others put aside stays, but for that of earlier versions, which did not tell
    """
    tags = {"pipeline": job.spec.pipeline_name} | ({"claim": claim_id} if claim_id else {})
    yield from ask(Delete(job.spec.ledger_bucket, instant_of(window), SET_ASIDE_MEASUREMENT, tags))


def aside_of(job: RollupBlock) -> SetAsideRecords:
    """Ask what runs of the pipeline have put aside and not written back."""
    return SetAsideRecords(job.spec.ledger_bucket, job.spec.pipeline_name, job.target_interval)


def restore_set_aside(job: RollupBlock, records: Iterable[SetAside], *, is_last: bool) -> Steps[None]:
    """Write again what a run put aside and died before it wrote; values that are there now stay as they are.

    Another pipeline that has COMMITTED its window since may have removed such a value as stale, or have lost a newer one by the
    delete: its window is WRITING again.

    :param records: of runs that had the windows before this one
    :param is_last: whether they are forgotten then; a run that hangs may delete the values after they were found in
        their place, so they are looked for once more before the windows are committed
    """
    kept: dict[Interval, Aside] = defaultdict(Aside)
    windows = {window.start: window for window in job.windows}
    for record in records:
        window = windows.get(from_ns(json.loads(record.text)["window_ns"]))
        if window is not None:
            kept[window].add(record)
    for window, aside in sorted(kept.items(), key=itemgetter(0)):
        yield from _bring_back(job, window, aside, is_last=is_last)
        for claim_id in sorted(aside.claims) if is_last else ():
            yield from forget(job, window, claim_id)
        if is_last:
            # a run that hangs may have deleted them since they were found in their place, while its record was still there
            yield from _bring_back(job, window, aside, is_last=True)


def _bring_back(job: RollupBlock, window: Interval, aside: Aside, *, is_last: bool) -> Steps[None]:
    """Write the values of a window that are not there, and tear the windows of others that these may be wrong in."""
    spec, instant = job.spec, instant_of(window)
    everything = TargetValues(
        bucket=spec.target_bucket, measurement=spec.output_measurement, interval=instant
    )
    there = points_of((yield from ask(everything)))
    lacking = _of_others(job, without(aside.points, there))
    commits, torn_by = aside.commits or {}, ""
    if lacking:
        text = f"Writing values of other pipelines at {window} again, which a run that died had deleted"
        yield from ask(Report(text))
        # before they are back, too: their pipeline may be about to commit without them, and this run may die after it
        torn_by = yield from tear((yield from with_neighbours(job)), instant, commits)
        yield from ask(write_of_points(spec.target_bucket, spec.output_measurement, lacking))
    if lacking or (not is_last and (not aside.points or _has_any(aside.points, there))):
        yield from tear((yield from with_neighbours(job)), instant, commits, torn_by)


def record_without(text: str, is_gone: Callable[[PointKey, str], bool]) -> tuple[str, Points]:
    """A record without some of its values.

    :param text: of the record
    :return: what is left of it, and what it lost
    """
    record = json.loads(text)
    lost: Points = {}
    kept = []
    for value in record["values"]:
        tags, time_ns, name, _, number = value
        key = tuple((tag, text_) for tag, text_ in tags), time_ns
        if is_gone(key, name):
            lost.setdefault(key, {})[name] = number
        else:
            kept.append(value)
    return json.dumps({**record, "values": kept}, ensure_ascii=False), lost


def without(points: Points, there: Points) -> Points:
    """The values that are not there."""
    return _chosen(points, lambda key, name: name not in there.get(key, {}))


def _of_others(job: RollupBlock, points: Points) -> Points:
    """The values that the block does not make itself: another spec of the pipeline took them for those of others."""
    return _chosen(points, lambda key, name: not job.ownership.owns(name, key[0]))


def _chosen(points: Points, is_wanted: Callable[[PointKey, str], bool]) -> Points:
    left = {
        key: {name: value for name, value in values.items() if is_wanted(key, name)}
        for key, values in points.items()
    }
    return {key: values for key, values in left.items() if values}


def _has_any(points: Points, there: Points) -> bool:
    """Whether a value is there as it was put aside, such as one that a run wrote back and died."""
    return any(
        there.get(key, {}).get(name) == value
        for key, values in points.items()
        for name, value in values.items()
    )


def _records(
    job: RollupBlock, claim_id: str, window: Interval, points: Points, commits: Commits
) -> Iterator[str]:
    values = [
        [list(map(list, tags)), time_ns, name, "u" if isinstance(value, UInt) else "", value]
        for (tags, time_ns), fields in sorted(points.items())
        for name, value in sorted(fields.items())
    ]
    for part, some in enumerate(list(_parts(values)) or [[]]):
        record = {"window_ns": window.start_ns, "values": some, "commits": dict(commits)}
        tags = {"pipeline": job.spec.pipeline_name, "claim": claim_id, "part": str(part)}
        text = json.dumps(record, ensure_ascii=False)
        yield encode_line(SET_ASIDE_MEASUREMENT, tags, {RECORD: text}, window.start_ns)


def _parts(values: list[list[Any]]) -> Iterator[list[list[Any]]]:
    """Values in parts that each fit into a string field; a text of a sketch is as long as many numbers."""
    part: list[list[Any]] = []
    size = 0
    for value in values:
        length = len(json.dumps(value, ensure_ascii=False))
        if part and (len(part) == VALUES_PER_PART or size + length > CHARACTERS_PER_PART):
            yield part
            part, size = [], 0
        part.append(value)
        size += length
    if part:
        yield part


def _add_record(points: Points, text: str) -> Commits:
    """Take the values of a record, and return the commits of when they were put aside; one of before has none."""
    record: Mapping[str, Any] = json.loads(text)
    for tags, time_ns, name, kind, value in record["values"]:
        key = tuple((tag, text_) for tag, text_ in tags), time_ns
        points.setdefault(key, {})[name] = UInt(value) if kind == "u" else value
    return dict(record.get("commits", {}))
