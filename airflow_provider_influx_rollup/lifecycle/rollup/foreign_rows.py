"""Values in a target that no run of the pipeline wrote: refused before anything is written.

What the source does not explain in a window is stale, and goes. That is right only where a pipeline has written it: a
window without a receipt may hold the rollup of an InfluxDB task, or raw points, whose source has long gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from airflow_provider_influx_rollup.aggregates.frame import TagSet
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.aggregates.windowed import WindowBounds, merge_parts
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.ledger_history import WrittenSpecs
from airflow_provider_influx_rollup.flux.source_read import WindowCounts
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.ledger.history import receipts_of
from airflow_provider_influx_rollup.lifecycle.pipeline.claims import Claim
from airflow_provider_influx_rollup.lifecycle.pipeline.conflicts import all_specs_of_others
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import read_stored
from airflow_provider_influx_rollup.lifecycle.rollup.chains import COUNT
from airflow_provider_influx_rollup.lifecycle.rollup.verify import own_values
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.rows import Key, block_keys, target_rows
from airflow_provider_influx_rollup.lifecycle.target.values_read import read_values
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

ForeignValues = list[tuple[int, str, TagSet]]


def require_no_foreign_rows(
    job: RollupBlock, unknown: Collection[Interval], others: Collection[Claim]
) -> Steps[None]:
    """Refuse windows that hold values which neither the source nor any pipeline of the ledger explains, as it is now or was before.

    :param unknown: the windows that the ledger has no receipt of
    :param others: what other pipelines write there
    :raises ConfigurationError: with one of the values
    """
    if not unknown:
        return
    unwritten = frozenset(unknown)
    found: ForeignValues = []
    for name, keys in target_rows(job, (yield from read_values(own_values(job)))).keys().items():
        found += [
            (window, name, tags)
            for tags, window in keys
            if job.windows[window] in unwritten and not any(other.covers(name, tags) for other in others)
        ]
    if not found:
        return
    explained = yield from _explained_by_source(job)
    found = sorted(s for s in found if (s[2], s[0]) not in explained.get(s[1], ()))
    if found and (yield from ask(FindBucket(job.spec.ledger_bucket))) is not None:
        written = yield from _written_meanwhile(job)
        found = [one for one in found if job.windows[one[0]] not in written]
        found = yield from _without_given_up(job, found)
    if found:
        raise _refusal(job, found)


def _written_meanwhile(job: RollupBlock) -> Steps[set[Interval]]:
    """The windows that another run of the pipeline has written, or is writing, since this one planned."""
    receipts = yield from receipts_of(job.spec.ledger_bucket, job.spec.pipeline_name, job.windows)
    return {window for window, one in receipts.items() if one.state is not State.PLANNED}


def _without_given_up(job: RollupBlock, found: ForeignValues) -> Steps[ForeignValues]:
    """Without what other pipelines wrote before they gave it up: they leave it to the one that has taken it over.

    Only a window counts that the other one has written under a spec with that column, for the same windows.
    """
    if not found:
        return found
    ledger = job.spec.ledger_bucket
    former = [
        (one.pipeline, one.spec_hash, Claim.of(one.rollup()))
        for one in all_specs_of_others(job.spec, (yield from read_stored(ledger)))
    ]
    givers = {
        pipeline for pipeline, _, claim in former for _, name, tags in found if claim.covers(name, tags)
    }
    if not givers:
        return found
    written = yield from ask(WrittenSpecs(ledger, sorted(givers), ROLLUP, job.target_interval))
    return [
        (window, name, tags)
        for window, name, tags in found
        if not any(
            claim.covers(name, tags) and (pipeline, spec_hash, job.windows[window].start_ns) in written
            for pipeline, spec_hash, claim in former
        )
    ]


def _explained_by_source(job: RollupBlock) -> Steps[dict[str, set[Key]]]:
    """The series and windows in which each column has points to be computed from."""
    if not job.fields:
        return {}
    frames = defaultdict(list)
    for frame in (yield from ask(WindowCounts(job.source, job.runs, job.fields))):
        for name in frame.fields:
            frames[name].append(frame.of_field(name))
    explained: dict[str, set[Key]] = {}
    for name, of_field in frames.items():
        counter = [Column(field=name, field_type="integer", aggregate=COUNT)]
        bounds = WindowBounds.of(job.windows)
        keys = block_keys(merge_parts({COUNT.name: of_field}, bounds, counter, job.spec.group_by))
        explained |= {column.name: keys for column in job.columns_of(name)}
    return explained


def _refusal(job: RollupBlock, found: ForeignValues) -> ConfigurationError:
    spec = job.spec
    index, name, tags = found[0]
    window = job.windows[index]
    series = ", ".join(f"{key}={value}" for key, value in tags) or "no tags"
    what = (
        f"bucket {spec.target_bucket!r}, measurement {spec.output_measurement!r} already holds {len(found)} values that "
        f"pipeline {spec.pipeline_name!r} has no receipt of and its source does not explain, such as {name!r} of "
        f"{series} at {format_instant(window.start)}; a rollup would remove them"
    )
    fix = (
        "give another target_measurement, or delete these values first if they are not needed; when the ledger was deleted, "
        "restore purged points first: these values may be all that is left of them"
    )
    return ConfigurationError(what, window=window, written="nothing", fix=fix)
