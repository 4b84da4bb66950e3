"""Whether buckets keep points for as long as the pipelines need them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from airflow_provider_influx_rollup.lifecycle.doctor.findings import Finding, Severity, describe
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import children_of, parents_of
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.windows.duration import Duration

LONGEST_MONTH_SECONDS = 31 * 86_400


def check_retention(
    pipelines: Mapping[str, RollupSpec], buckets: Mapping[str, Bucket | None]
) -> list[Finding]:
    """Compare the retention of sources and targets with the windows; a source may be another pipeline's target.

    :param buckets: by name; None where there is none
    """
    findings = [
        finding
        for _, spec in sorted(pipelines.items())
        for finding in (
            *_too_short(
                spec, _lag_seconds(spec, pipelines), buckets[spec.source_bucket], buckets[spec.target_bucket]
            ),
            *_forgotten(spec, pipelines, buckets),
        )
    ]
    if pipelines and not findings:
        findings.append(
            Finding("retention", Severity.OK, "every bucket keeps points longer than its windows need")
        )
    return findings


def _too_short(
    spec: RollupSpec, needed: float, source: Bucket | None, target: Bucket | None
) -> Iterator[Finding]:
    if source is not None and 0 < source.retention_seconds <= needed:
        text = (
            f"pipeline {spec.pipeline_name!r}: source bucket {source.name!r} keeps points for "
            f"{describe(source.retention_seconds)}, and a window is due {describe(needed)} after its first point"
        )
        yield Finding(
            "retention", Severity.FAIL, text, "keep them longer, or take shorter windows or lateness"
        )
    if target is not None and 0 < target.retention_seconds <= needed:
        text = f"{_keeps(spec, target)}, and a window is written {describe(needed)} after its start"
        yield Finding(
            "retention", Severity.FAIL, text, "keep them longer: InfluxDB drops what is too old to write"
        )


def _forgotten(
    spec: RollupSpec, pipelines: Mapping[str, RollupSpec], buckets: Mapping[str, Bucket | None]
) -> Iterator[Finding]:
    """Rows that go before what they are made of, and that no tier above keeps either."""
    source, target = buckets[spec.source_bucket], buckets[spec.target_bucket]
    if source is None or target is None or target.retention_seconds <= _lag_seconds(spec, pipelines):
        return
    above = (buckets[one.target_bucket] for one in _with_those_above(spec, pipelines))
    if any(one is not None and _outlasts(one, source) for one in above):
        return
    raw = f"for {describe(source.retention_seconds)}" if source.retention_seconds else "forever"
    text = f"{_keeps(spec, target)}, and its source {source.name!r} keeps points {raw}"
    fix = "keep them, or the rows of a tier above, at least as long as that; a tier counts once it has run"
    yield Finding("retention", Severity.WARN, text, fix)


def _keeps(spec: RollupSpec, target: Bucket) -> str:
    length = describe(target.retention_seconds)
    return f"pipeline {spec.pipeline_name!r}: target bucket {target.name!r} keeps rollups for {length}"


def _outlasts(one: Bucket, source: Bucket) -> bool:
    if not source.retention_seconds or not one.retention_seconds:
        return not one.retention_seconds
    return one.retention_seconds >= source.retention_seconds


def _lag_seconds(spec: RollupSpec, pipelines: Mapping[str, RollupSpec]) -> float:
    """Age of a window's first point when the window is due."""
    length = spec.grid.grid().period
    seconds = length.months * LONGEST_MONTH_SECONDS + length.nanoseconds / 1e9
    return seconds + max(_lateness_seconds(one) for one in _with_those_below(spec, pipelines))


def _with_those_below(spec: RollupSpec, pipelines: Mapping[str, RollupSpec]) -> Iterable[RollupSpec]:
    """A pipeline and all that it is made of: it starts when these are done, after their own lateness."""
    return _reached(spec, lambda one: parents_of(one, pipelines))


def _with_those_above(spec: RollupSpec, pipelines: Mapping[str, RollupSpec]) -> Iterable[RollupSpec]:
    """A pipeline and all that are made of it, as far as they have run."""
    return _reached(spec, lambda one: children_of(one, pipelines))


def _reached(
    spec: RollupSpec, neighbours: Callable[[RollupSpec], Iterable[RollupSpec]]
) -> Iterable[RollupSpec]:
    found, to_visit = {spec.pipeline_name: spec}, [spec]
    while to_visit:
        more = {one.pipeline_name: one for one in neighbours(to_visit.pop())}
        to_visit += [one for name, one in more.items() if name not in found]
        found |= more
    return found.values()


def _lateness_seconds(spec: RollupSpec) -> float:
    return Duration.of(spec.lateness, allow_zero=True).nanoseconds / 1e9
