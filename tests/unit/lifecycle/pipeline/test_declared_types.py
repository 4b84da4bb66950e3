"""Values of a wrong type in a declaration are refused by the name of the parameter, and right ones are taken."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle, Tier
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_bucket import Bucket
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_ends import Archive, Deadman, Validation

TIER: dict[str, Any] = {"bucket": "tier", "every": "1h", "aggregates": ["count"]}


def lifecycle(**more: Any) -> Lifecycle:
    return Lifecycle(**{"source_bucket": "raw", "measurement": "m", "tiers": [Tier(**TIER)], **more})


@pytest.mark.parametrize(
    ("name", "value", "what", "fix"),
    [
        ("archive", "/data/archive", "archive of Lifecycle is of the type str", "give Archive(...)"),
        ("validation", "rules.yaml", "validation of Lifecycle is of the type str", "give Validation(...)"),
        ("deadman", True, "deadman of Lifecycle is of the type bool", "give Deadman(...)"),
        ("buckets", None, "buckets of Lifecycle is of the type NoneType", "give a list of Bucket(...)"),
        ("buckets", ["a"], "buckets[0] of Lifecycle is of the type str", "give a list of Bucket(...)"),
        ("tiers", None, "tiers of Lifecycle is of the type NoneType", "give a list of Tier(...)"),
        ("tiers", "tier", "tiers of Lifecycle is of the type str", "give a list of Tier(...)"),
        (
            "tiers",
            [Tier(**TIER), "x"],
            "tiers[1] of Lifecycle is of the type str",
            "give a list of Tier(...)",
        ),
        ("tags", None, "tags of Lifecycle is of the type NoneType", "give a dict"),
        ("tags", "site=a", "tags of Lifecycle is of the type str", "give a dict"),
        ("source_bucket", ["raw"], "source_bucket of Lifecycle is of the type list", "give a text"),
        ("ledger_bucket", None, "ledger_bucket of Lifecycle is of the type NoneType", "give a text"),
    ],
)
def test_lifecycle_is_refused_when_a_parameter_is_of_a_wrong_type(
    name: str, value: object, what: str, fix: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        lifecycle(**{name: value})
    assert (refused.value.what, refused.value.fix) == (what, fix)


@pytest.mark.parametrize(
    ("made", "given", "what"),
    [
        (Tier, {**TIER, "name": 5}, "name of Tier is of the type int"),
        (Tier, {**TIER, "timezone": ["UTC"]}, "timezone of Tier is of the type list"),
        (Tier, {**TIER, "bucket": None}, "bucket of Tier is of the type NoneType"),
        (Archive, {"path": 5}, "path of Archive is of the type int"),
        (Archive, {"path": "/a", "path_conn_id": 5}, "path_conn_id of Archive is of the type int"),
        (Validation, {"rules": [], "bucket": 5}, "bucket of Validation is of the type int"),
    ],
)
def test_a_part_of_it_is_refused_when_a_parameter_is_of_a_wrong_type(
    made: Any, given: dict[str, Any], what: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        made(**given)
    assert refused.value.what == what


def test_lifecycle_is_taken_when_all_parts_are_of_their_types() -> None:
    made = lifecycle(
        tiers=(Tier(**TIER),),
        tags={"site": ["a", "b"]},
        buckets={Bucket("raw")},
        deadman=Deadman(),
        validation=Validation([{"rule": "cadence", "every": "1m"}], quarantine_bucket="away"),
        archive=Archive(PurePosixPath("/data/archive")),  # type: ignore[arg-type]
    )
    assert made.archive is not None
    assert made.archive.path == "/data/archive"


def test_path_may_be_what_another_task_returns() -> None:
    class Result:
        def resolve(self) -> None:
            """As Airflow's."""

    result: Any = Result()
    assert Archive(result).path is result
