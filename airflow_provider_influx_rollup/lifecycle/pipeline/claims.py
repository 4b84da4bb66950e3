"""Values of a target that belong to a pipeline: those it writes now, and those it wrote before its spec changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_influx_rollup.aggregates.frame import TagSet
from airflow_provider_influx_rollup.aggregates.selection import AggregateRules
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec


@dataclass(frozen=True, slots=True)
class Claim:
    """The values of a target that one spec can write.

    :param tags: the tag filters that can be told from the rows of the target
    :param group_by: the only tags its rows have; None when they have those of the source
    """

    rules: AggregateRules
    tags: Mapping[str, tuple[str, ...]]
    group_by: frozenset[str] | None

    @classmethod
    def of(cls, spec: RollupSpec) -> Claim:
        """The claim of a spec; a filter on a tag that is merged away leaves no trace."""
        group_by = None if spec.group_by is None else frozenset(spec.group_by)
        return cls(spec.rules(), visible_tags(spec), group_by)

    def covers(self, target_field: str, tag_set: TagSet) -> bool:
        """Whether the spec can write a field of a series of the target."""
        return self.rules.owns(target_field) and self.covers_series(tag_set)

    def covers_series(self, tag_set: TagSet) -> bool:
        """Whether the spec can write any field of a series of the target."""
        if self.group_by is not None and not all(key in self.group_by for key, _ in tag_set):
            return False
        values = dict(tag_set)
        return all(values.get(key, "") in chosen for key, chosen in self.tags.items())


@dataclass(frozen=True, slots=True)
class Ownership:
    """Values of its target that a pipeline answers for.

    :param mine: what it writes now
    :param earlier: what it wrote under earlier specs: its rows there are stale now
    :param others: what other pipelines write, which may have taken over what this one gave up
    :param neighbours: names of the pipelines that write to the same points
    """

    mine: Claim
    earlier: tuple[Claim, ...] = ()
    others: tuple[Claim, ...] = ()
    neighbours: tuple[str, ...] = ()

    def owns_field(self, target_field: str) -> bool:
        """Whether any series may have this field from the pipeline."""
        return any(claim.rules.owns(target_field) for claim in (self.mine, *self.earlier))

    def owns(self, target_field: str, tag_set: TagSet) -> bool:
        """Whether a field of a series is the pipeline's."""
        if self.mine.covers(target_field, tag_set):
            return True
        return any(claim.covers(target_field, tag_set) for claim in self.earlier) and not any(
            claim.covers(target_field, tag_set) for claim in self.others
        )

    def aggregate_names(self) -> list[str]:
        """The suffixes of all fields that may be the pipeline's."""
        return sorted({name for claim in (self.mine, *self.earlier) for name in claim.rules.all_names()})

    def tags(self) -> dict[str, tuple[str, ...]]:
        """A tag filter that keeps everything of the pipeline; it may keep more."""
        common = dict(self.mine.tags)
        for claim in self.earlier:
            common = {
                key: tuple(dict.fromkeys((*values, *claim.tags[key])))
                for key, values in common.items()
                if key in claim.tags
            }
        return common


def visible_tags(spec: RollupSpec) -> dict[str, tuple[str, ...]]:
    """The tag filters of a spec that can be told from the rows of its target."""
    if spec.group_by is None:
        return dict(spec.tags)
    return {key: values for key, values in spec.tags.items() if key in spec.group_by}
