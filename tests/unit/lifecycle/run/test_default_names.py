"""Default names are what they always were, and short where they could not be kept."""

from __future__ import annotations

from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec

MANY = tuple(f"device-{number:04d}-{'x' * 20}" for number in range(3_000))


def rollup(**tags: tuple[str, ...]) -> RollupSpec:
    return RollupSpec(
        source_bucket="raw",
        target_bucket="hourly",
        measurement="m",
        grid=GridSpec("1h"),
        aggregates=("count",),
        tags=tags,
    )


def test_pipeline_is_named_by_its_filter_when_that_is_short() -> None:
    assert rollup(site=("b", "a"), device=("d 1",)).pipeline_name == "raw/m{device=d 1,site=b|a}->hourly@1h"
    assert rollup(device=MANY[:1_500]).pipeline_name == f"raw/m{{device={'|'.join(MANY[:1_500])}}}->hourly@1h"


def test_pipeline_is_named_by_a_hash_when_its_filter_is_longer_than_a_tag() -> None:
    names = {rollup(device=some).pipeline_name for some in (MANY, MANY[1:], MANY[::-1])}
    names.add(rollup(device=MANY, site=("a",)).pipeline_name)
    assert len(names) == 4
    assert max(map(len, names)) < 100
    # a name is where the receipts are: it must never change
    assert rollup(device=MANY).pipeline_name == "raw/m{device~2956949bce9485400c3e39a5c46245bf}->hourly@1h"
    assert RollupSpec.from_json(rollup(device=MANY).as_json()).pipeline_name in names


def test_check_is_named_by_a_hash_when_its_filter_is_longer_than_a_tag() -> None:
    short = DeadmanSpec(bucket="raw", measurement="m", group_by=("device",), tags={"device": MANY[:3]})
    assert short.check.name == f"deadman raw/m by device device={'|'.join(MANY[:3])}"
    checks = [
        DeadmanSpec(bucket="raw", measurement="m", tags={"device": some}).check for some in (MANY, MANY[1:])
    ]
    assert checks[0].name.startswith("deadman raw/m device~")
    assert checks[0].id != checks[1].id
    assert max(len(check.name) for check in checks) < 100
