"""Validations with different ``tags`` share the measurement of their clean points: each touches its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.validation.transformations import transformations_of
from tests.conftest import InfluxServer
from tests.scenes.validation_runs import HOUR, START_NS, run, stored

pytestmark = pytest.mark.live

Bucket = Callable[[], str]
HIGH = ({"rule": "range", "field": "v", "high": 10},)


@pytest.fixture
def shared(bucket_factory: Bucket) -> ValidateSpec:
    """A validation whose buckets others may share."""
    return ValidateSpec(
        bucket=bucket_factory(),
        measurement="m",
        rules=rules_of(list(HIGH)),
        quarantine_bucket=bucket_factory(),
        clean_bucket=bucket_factory(),
        ledger_bucket=bucket_factory(),
    )


def clean(influx: InfluxServer, spec: ValidateSpec) -> list[float]:
    """The values of the clean bucket, which are all different."""
    return sorted(stored(influx, str(spec.clean_bucket), "m")["_value"].tolist())


@pytest.mark.parametrize("odd", ["r", "r\\ 'x'\\,"])
def test_clean_points_of_another_validation_stay_when_a_series_of_less_tags_goes(
    client: InfluxClient, influx: InfluxServer, shared: ValidateSpec, odd: str
) -> None:
    value = odd.replace("\\", "")
    key, name = "a\\ \"rack'", "a \"rack'"
    lines = [
        f"m,site=a v=1 {START_NS}",
        f"m,site=a,{key}={odd} v=2 {START_NS + 1}",
        f"m,site=a,{key}={odd},zone=z v=3 {START_NS + 2}",
        f"m,{key}={odd} v=4 {START_NS + 3}",
        f"m v=5 {START_NS + 4}",
        f"m,site=a,zone=y v=6 {START_NS + 5}",
        f"m,site=b v=7 {START_NS + 6}",
    ]
    client.write_lines(shared.bucket, lines)
    without = replace(shared, name="without", tags={name: ("",)})
    of_racks = replace(shared, name="of racks", tags={name: (value,)})
    run(client, without, HOUR)
    run(client, of_racks, HOUR)
    assert clean(influx, shared) == [1, 2, 3, 4, 5, 6, 7]
    for gone in (0, 4):
        # of the source, two series of less tags than those of the other validation
        client.delete(shared.bucket, HOUR, '_measurement="m"')
        lines[gone] = ""
        client.write_lines(shared.bucket, [line for line in lines if line])
        run(client, without, HOUR)
        left = [number + 1 for number, line in enumerate(lines) if line]
        assert clean(influx, shared) == left
        run(client, of_racks, HOUR)
        assert clean(influx, shared) == left


def wrong(influx: InfluxServer, spec: ValidateSpec) -> list[float]:
    """The values of the quarantine."""
    return sorted(stored(influx, str(spec.quarantine_bucket), "m")["_value"].tolist())


def test_copies_of_another_validation_without_a_name_stay_in_the_quarantine(
    client: InfluxClient, influx: InfluxServer, shared: ValidateSpec
) -> None:
    client.write_lines(
        shared.bucket,
        [
            f"m,site=a v=11 {START_NS}",
            f"m,site=a,rack=r v=12 {START_NS}",
            f"m,site=b v=13 {START_NS}",
            f"m v=14 {START_NS}",
            f"m,site=a v=15 {START_NS + 1}",
        ],
    )
    specs = [replace(shared, tags={"site": (value,)}) for value in ("a", "b", "")]
    for spec in (*specs, *specs):
        notes = run(client, spec, HOUR)["notes"]
    assert wrong(influx, shared) == [11, 12, 13, 14, 15]
    assert any(
        "4 values" in note and "in the quarantine" in note and "name of its own" in note for note in notes
    )
    # each still removes its own
    client.write_lines(shared.bucket, [f"m{tags} v=1 {START_NS}" for tags in (",site=a", ",site=b", "")])
    for spec, left in zip(specs, ([12, 13, 14, 15], [12, 14, 15], [12, 15]), strict=True):
        run(client, spec, HOUR)
        assert wrong(influx, shared) == left


def test_clean_points_of_earlier_tags_and_transformations_are_noted_unless_another_validation_is_known(
    client: InfluxClient, influx: InfluxServer, shared: ValidateSpec
) -> None:
    client.write_lines(shared.bucket, [f"m,site={value} v={n} {START_NS}" for n, value in enumerate("abc")])
    some = replace(shared, name="some", tags={"site": ("a", "b")})
    assert run(client, some, HOUR)["notes"] == []
    renamed = transformations_of([{"transform": "map_tag", "tag": "site", "values_to": {"b": "bb"}}])
    (note,) = run(client, replace(some, transformations=renamed), HOUR)["notes"]
    assert note.startswith(f"1 value of {shared.clean_bucket}/m beside what some writes now")
    (note,) = run(client, replace(some, tags={"site": ("a",)}), HOUR)["notes"]
    assert note.startswith(f"2 values of {shared.clean_bucket}/m beside what some writes now")
    run(client, replace(shared, name="another", tags={"site": ("c",)}), HOUR)
    assert run(client, some, HOUR)["notes"] == []
