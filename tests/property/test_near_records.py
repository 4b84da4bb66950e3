"""A run looks up only the buckets of the pipelines that concern it, and decides as if it had looked up all."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import ConfigurationError, ReceiptMissing
from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.ledger.codec import SpecRecord
from airflow_provider_influx_rollup.lifecycle.pipeline.conflicts import (
    all_specs_of_others,
    claims_of_others,
    earlier_specs,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.identity import as_known, with_own_hash
from airflow_provider_influx_rollup.lifecycle.pipeline.near_records import stored_near
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import stored_of
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.tier_below import find_tier_below
from airflow_provider_influx_rollup.steps.influx import Bucket, FindBucket, FindBucketById, Gather

NAMES = ("a", "b", "c", "d", "ü")
LEDGER = "ledger"


@dataclass
class World:
    """Buckets that are made, renamed and deleted, and the ledger of those who ran meanwhile.

    :param named: the id of each bucket that there is, by its name
    :param listed: names of those that the server's list has
    """

    named: dict[str, str] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    records: dict[tuple[str, str], SpecRecord] = field(default_factory=dict)
    made: int = 0
    asked: int = 0

    def bucket(self, name: str | None) -> Bucket | None:
        """The bucket of a name."""
        if name is None or name not in self.named:
            return None
        return Bucket(name=name, retention_seconds=0, shard_group_seconds=0, id=self.named[name])

    def answer(self, step: object) -> Any:
        """What the server would answer."""
        if isinstance(step, Gather):
            return [self.answer(one) for one in step.steps]
        self.asked += 1
        if isinstance(step, FindBucketById):
            return self.bucket(next((name for name, one in self.named.items() if one == step.id), None))
        assert isinstance(step, FindBucket)
        return self.bucket(step.name)

    def play(self, steps: Generator[Any, Any, list[StoredSpec]]) -> list[StoredSpec]:
        """Run steps to their end."""
        try:
            step = next(steps)
            while True:
                step = steps.send(self.answer(step))
        except StopIteration as end:
            return list(end.value)

    def list_of_server(self) -> BucketNames:
        """The ids that the server lists."""
        return BucketNames({one: name for name, one in self.named.items() if name in self.listed})

    def whole(self) -> list[StoredSpec]:
        """All specs, with all buckets looked up."""
        return self.play(stored_of(list(self.records.values()), self.list_of_server(), LEDGER))

    def near(self, spec: RollupSpec) -> list[StoredSpec]:
        """All specs, with the buckets looked up that concern one."""
        buckets = (self.bucket(spec.source_bucket), self.bucket(spec.target_bucket))
        return self.play(stored_near(list(self.records.values()), self.list_of_server(), spec, buckets))

    def do(self, what: str, name: str, other: str, spec: RollupSpec | None) -> None:
        """Make, rename or delete a bucket, or run a pipeline."""
        if what == "make" and name not in self.named:
            self.made += 1
            self.named[name] = f"{self.made:016x}"
        elif what == "rename" and name in self.named and other not in self.named:
            self.named[other] = self.named.pop(name)
        elif what == "delete":
            self.named.pop(name, None)
        elif what == "run" and spec is not None:
            self.run(spec)

    def run(self, spec: RollupSpec) -> None:
        """Keep the spec as a run does."""
        source, target = self.bucket(spec.source_bucket), self.bucket(spec.target_bucket)
        if source is None or target is None:
            return
        stored = self.whole()
        spec = with_own_hash(as_known(spec, stored), stored, source, target)
        self.made += 1
        plain = {key: value for key, value in spec.as_json().items() if key not in ("hashed_as", "known_as")}
        key = (spec.pipeline_name, spec.spec_hash())
        self.records[key] = SpecRecord(
            pipeline=key[0],
            spec_hash=key[1],
            text=json.dumps(plain, sort_keys=True, ensure_ascii=False),
            last_used_ns=self.made,
            last_commit_ns=0,
            bucket_ids=json.dumps({"source_bucket": source.id, "target_bucket": target.id}),
            hashed_as=json.dumps(spec.hashed_as),
        )


def decisions(world: World, spec: RollupSpec, stored: list[StoredSpec]) -> Mapping[str, Any]:
    """What a run makes of the specs of its ledger."""
    source, target = world.bucket(spec.source_bucket), world.bucket(spec.target_bucket)
    assert source is not None
    assert target is not None
    spec = with_own_hash(as_known(spec, stored), stored, source, target)
    below: Any = None
    if spec.source_tier is not None:
        try:
            tier = find_tier_below(spec, stored)
            below = (tier.name, tier.spec, sorted(tier.earlier))
        except (ConfigurationError, ReceiptMissing) as error:
            below = type(error), error.what
    return {
        "spec": (spec, spec.pipeline_name, spec.spec_hash()),
        "earlier": [one.spec_hash() for one in earlier_specs(spec, stored)],
        "own": [one.values for one in stored if one.pipeline == spec.pipeline_name],
        "claims": claims_of_others(spec, stored),
        "others": [one.key for one in all_specs_of_others(spec, stored)],
        "below": below,
    }


def spec_of(source: str, target: str, pipeline: str | None, tier: str | None, every: str) -> RollupSpec:
    """A rollup, of a tier when one is named."""
    return RollupSpec(
        source_bucket=source,
        target_bucket=target,
        measurement="sensors",
        grid=GridSpec(every),
        aggregates=("sum",) if tier else ("count", "sum"),
        pipeline=pipeline,
        source_tier=tier,
        ledger_bucket=LEDGER,
    )


names = st.sampled_from(NAMES)
tiers = st.sampled_from(
    [(None, None), (None, None), ("p", None), ("q", None), ("p", "q"), ("p", "auto"), (None, "q")]
)
specs = st.builds(
    lambda pair, named, every: spec_of(*pair, *named, every),
    st.permutations(NAMES).map(lambda found: found[:2]),
    tiers,
    st.sampled_from(["1h", "1d"]),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A ledger and its buckets after some history."""
    world = World()
    for name in NAMES:
        world.do("make", name, name, None)
    kinds = st.sampled_from(["make", "rename", "delete", "run", "run", "run"])
    for what, name, other, spec in draw(
        st.lists(st.tuples(kinds, names, names, specs), min_size=4, max_size=20)
    ):
        world.do(what, name, other, spec)
    world.listed = draw(st.frozensets(names, max_size=2))
    return world


@given(worlds(), specs)
def test_run_decides_the_same_when_it_looks_up_only_what_concerns_it(world: World, spec: RollupSpec) -> None:
    for name in (spec.source_bucket, spec.target_bucket):
        world.do("make", name, name, None)
    assert decisions(world, spec, world.near(spec)) == decisions(world, spec, world.whole())


@pytest.mark.parametrize(("name", "tier"), [("q", "auto"), ("q", "q"), (None, "auto")])
def test_tier_below_is_read_in_its_buckets_of_now(name: str | None, tier: str) -> None:
    world = World()
    for one in ("a", "b", "c"):
        world.do("make", one, one, None)
    lower = spec_of("a", "b", name, None, "1h")
    world.run(lower)
    for one in ("a", "b"):
        world.do("rename", one, f"{one}2", None)
    upper = spec_of("b2", "c", "p", tier, "1d")
    found = decisions(world, upper, world.near(upper))
    assert found["below"][0] == lower.pipeline_name
    assert (found["below"][1].source_bucket, found["below"][1].target_bucket) == ("a2", "b2")


@pytest.mark.parametrize("source", ["a", None], ids=["one source", "a source each"])
@pytest.mark.parametrize("pipeline", ["p", None])
def test_run_asks_nothing_of_gone_buckets_of_other_pipelines(
    pipeline: str | None, source: str | None
) -> None:
    world = World()
    for name in ("a", "b"):
        world.do("make", name, name, None)
    for number in range(50):
        names = (source or f"raw{number}", f"hourly{number}")
        for name in names:
            world.do("make", name, name, None)
        world.run(spec_of(*names, None, None, "1h"))
        for name in {*names} - {"a"}:
            world.do("delete", name, name, None)
    world.listed = frozenset(world.named)
    world.asked = 0
    assert len(world.near(spec_of("a", "b", pipeline, None, "1h"))) == 50
    assert world.asked == 0
