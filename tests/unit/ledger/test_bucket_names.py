"""Records are read with the names that buckets have now."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.ledger.codec import SpecRecord, decode_specs, encode_spec
from airflow_provider_influx_rollup.ledger.copies import CopiedTo, decode_copies
from airflow_provider_influx_rollup.lifecycle.pipeline.identity import as_known, with_own_hash
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.steps.influx import Bucket

X, Y, T = "00000000000000aa", "00000000000000bb", "00000000000000cc"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = RollupSpec(
    source_bucket="raw", target_bucket="hourly", measurement="m", grid=GridSpec("1h"), aggregates=("count",)
)


@pytest.mark.parametrize(
    ("by_id", "name", "bucket_id", "present"),
    [
        ({X: "raw"}, "raw", X, "raw"),
        ({X: "renamed"}, "raw", X, "renamed"),
        ({X: "renamed", Y: "raw"}, "raw", X, "renamed"),
        ({X: "renamed", Y: "raw"}, "raw", Y, "raw"),
        ({X: "renamed"}, "raw", "", "raw"),
        ({Y: "raw"}, "raw", "", "raw"),
        # gone or not to be seen: nobody has its name, so that nothing is mistaken
        ({}, "raw", X, "raw"),
        ({Y: "raw"}, "raw", X, f"raw (bucket {X}, deleted)"),
    ],
)
def test_bucket_has_its_present_name_when_its_id_is_known(
    by_id: dict[str, str], name: str, bucket_id: str, present: str
) -> None:
    assert BucketNames(by_id).present(name, bucket_id) == present


def test_names_that_are_not_listed_are_asked_for_once_by_id() -> None:
    listed = BucketNames({X: "raw"})
    records = [("raw", X), ("old", Y), ("old", Y), ("older", Y), ("none", "")]
    assert listed.lacking(records) == [("old", Y), ("older", Y)]


def test_bucket_that_was_looked_up_has_its_present_name_unless_another_one_has_it_here() -> None:
    names = BucketNames({X: "raw"}).with_more({Y: "renamed"}, {T: "old"})
    assert names.present("old", Y) == "renamed"
    assert names.id_of("old") == T
    # of another organisation, which has a bucket of the same name
    names = BucketNames({X: "raw"}).with_more({Y: "raw"}, {})
    assert names.present("raw", Y) == f"raw (bucket {Y}, deleted)"


def row(spec: RollupSpec, source_id: str, used: int = 0, **more: Any) -> dict[str, Any]:
    """A record as it is read, of before there were ids when they are empty."""
    fields: dict[str, Any] = {"spec": json.dumps(spec.as_json()), "last_used_ns": used}
    if source_id:
        fields["bucket_ids"] = json.dumps({"source_bucket": source_id, "target_bucket": T})
    return {"pipeline": spec.pipeline_name, "spec_hash": spec.spec_hash(), **fields, **more}


def stored(names: dict[str, str], *rows: dict[str, Any]) -> list[StoredSpec]:
    return [
        StoredSpec(*one)
        for one in decode_specs(map(SpecRecord.of, rows), BucketNames({**names, T: "hourly"}))
    ]


def test_hash_and_name_stay_when_a_bucket_is_renamed() -> None:
    renamed = RollupSpec(
        source_bucket="renamed",
        target_bucket="hourly",
        measurement="m",
        grid=GridSpec("1h"),
        aggregates=("count",),
    )
    known = as_known(renamed, stored({X: "renamed"}, row(SPEC, X)))
    assert (known.source_bucket, known.pipeline_name, known.spec_hash()) == (
        "renamed",
        SPEC.pipeline_name,
        SPEC.spec_hash(),
    )
    # and once more, when the record was written again with the new name
    line = encode_spec(known.pipeline_name, known.spec_hash(), known.as_json(), NOW, {"source_bucket": X})
    assert f"hashed_as={json.dumps(json.dumps(['raw', 'hourly']))}" in line
    again = row(known, X, hashed_as='["raw", "hourly"]')
    again["spec"] = json.dumps(
        {k: v for k, v in known.as_json().items() if k not in ("hashed_as", "known_as")}
    )
    twice = RollupSpec(
        source_bucket="twice",
        target_bucket="hourly",
        measurement="m",
        grid=GridSpec("1h"),
        aggregates=("count",),
    )
    third = as_known(twice, stored({X: "twice"}, again))
    assert (third.pipeline_name, third.spec_hash()) == (SPEC.pipeline_name, SPEC.spec_hash())


def test_hash_is_another_one_when_another_bucket_has_the_name() -> None:
    known = stored({X: "renamed", Y: "raw"}, row(SPEC, X))
    spec = with_own_hash(
        as_known(SPEC, known),
        known,
        Bucket(name="raw", retention_seconds=0, shard_group_seconds=0, id=Y),
        Bucket(name="hourly", retention_seconds=0, shard_group_seconds=0, id=T),
    )
    assert spec.spec_hash() != SPEC.spec_hash()
    own = stored(
        {X: "renamed", Y: "raw"}, row(SPEC, X), row(spec, Y, 1, hashed_as=json.dumps(spec.hashed_as))
    )
    assert as_known(SPEC, own).spec_hash() == spec.spec_hash()


def test_hash_stays_when_a_record_has_no_id() -> None:
    known = stored({X: "raw"}, row(SPEC, ""))
    spec = with_own_hash(
        as_known(SPEC, known),
        known,
        Bucket(name="raw", retention_seconds=0, shard_group_seconds=0, id=X),
        Bucket(name="hourly", retention_seconds=0, shard_group_seconds=0, id=T),
    )
    assert spec == SPEC


def test_tier_finds_the_lower_one_when_its_default_name_would_be_another() -> None:
    tier = RollupSpec(
        source_bucket="hourly",
        target_bucket="daily",
        measurement="m",
        grid=GridSpec("1d"),
        aggregates=("count",),
        source_tier="renamed/m->hourly@1h",
    )
    known = as_known(tier, stored({X: "renamed"}, row(SPEC, X)))
    assert known.source_tier == SPEC.pipeline_name


def test_copies_follow_both_buckets_and_old_records_give_way() -> None:
    old = CopiedTo(validation="v", source_bucket="raw", source_measurement="m", bucket="bad", measurement="m")
    new = CopiedTo(
        validation="v",
        source_bucket="raw",
        source_measurement="m",
        bucket="bad",
        measurement="m",
        source_id=X,
        copy_id=Y,
    )
    rows = [
        {
            "validation": one.validation,
            "source_bucket": one.source_bucket,
            "measurement": one.source_measurement,
            "copy_bucket": one.bucket,
            "copy_measurement": one.measurement,
            "_value": "[]",
            **({"source_id": one.source_id, "copy_id": one.copy_id} if one.source_id else {}),
        }
        for one in (old, new)
    ]
    assert decode_copies(rows) == [new]
    assert decode_copies(rows[:1]) == [old]
    present = new.present(BucketNames({X: "renamed", Y: "worse"}))
    assert (present.source_bucket, present.bucket) == ("renamed", "worse")
