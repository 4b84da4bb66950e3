"""Values of a pipeline that another one writes or deletes: one that computes the same, or one that puts back what it took along.

Claims tell runs of one pipeline apart only. Who puts old values back over new ones tears the window after that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from tests.simulation.influx import nanoseconds
from tests.simulation.lines import Line, Tags
from tests.simulation.pipelines import Pipeline
from tests.simulation.world import Over, World


def note_writes(
    world: World,
    pipeline: Pipeline,
    columns: Collection[str],
    lines: Iterable[Line],
    late_by: Callable[[str, int], str],
) -> None:
    """Lines are about to be written: a value of another pipeline may be replaced by an older one, or be right again.

    :param late_by: name of the writer when another pipeline has claimed the window of a start since it last looked, or nothing
    """
    target = world.influx.buckets[pipeline.target].measurements.get(pipeline.measurement, {})
    for line in lines:
        start = line.time_ns
        for name, value in line.fields:
            key = line.tags, name, start
            own = world.written_over.get((pipeline.name, start), {})
            # who deletes a point of its own that has an old value writes that back
            if key in own and own[key].value != value:
                del own[key]
            for other in _others_with(world, pipeline, name):
                over = world.written_over.setdefault((other.name, start), {})
                if _right(world, other, key) == value:
                    over.pop(key, None)
                elif target.get((line.tags, name), {}).get(start) != value:
                    was_computed = key in over and over[key].is_computed
                    over[key] = Over(was_computed or name in columns, value, late_by(other.name, start))


def note_delete(world: World, pipeline: Pipeline, columns: Collection[str], tags: Tags, start: int) -> None:
    """Points are about to be deleted: a value of another pipeline may be right, which this one is to write again."""
    target = world.influx.buckets[pipeline.target].measurements.get(pipeline.measurement, {})
    for (one, name), values in target.items():
        if name in columns and start in values and set(tags) <= set(one):
            for other in _others_with(world, pipeline, name):
                if _right(world, other, (one, name, start)) is not None:
                    world.written_over.setdefault((other.name, start), {})[one, name, start] = Over(True)


def _others_with(world: World, pipeline: Pipeline, name: str) -> list[Pipeline]:
    """The other pipelines that write a column to the same points."""
    return [
        one
        for one in world.pipelines
        if one is not pipeline
        and one.target == pipeline.target
        and name in {f"temp_{aggregate}" for aggregate in one.aggregates}
    ]


def _right(world: World, pipeline: Pipeline, key: tuple[Tags, str, int]) -> object:
    """What the source gives now; None when it gives nothing."""
    windows = [one for one in pipeline.windows if nanoseconds(one.start) == key[2]]
    return world.expected(pipeline, windows).get(key)


def forget_late(world: World, name: str) -> None:
    """A run has ended well, and so has torn what it wrote late."""
    for start, over in world.written_over.items():
        world.written_over[start] = {
            key: replace(one, late_by="") if one.late_by == name else one for key, one in over.items()
        }
